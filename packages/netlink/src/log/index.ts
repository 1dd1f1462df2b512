/** Packets that rules log to a group (nfnetlink_log): `log group 5`. */
export { encodeLogBind, encodeLogUnbind, LOG_COMMAND, type LogSettings, NFULNL_MSG } from './config.ts';
export { LogListener, type LogListenerOptions } from './listener.ts';
export { connectionState, decodeLogPacket, encodeLogPacket, hookName, type LogConnection, type LogHook, type LogPacket } from './packet.ts';
