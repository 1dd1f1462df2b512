/** Programs that judge what processes ask for, before there is a packet. */

export { CALLER_FACTS, loadSocketMark } from './caller.ts';
export { emitFindDestination } from './find-destination.ts';
export { type ConnectPlace, isConnectPlace } from './places.ts';
export { isVisibleAtConnect, knownAtConnect } from './visible.ts';
