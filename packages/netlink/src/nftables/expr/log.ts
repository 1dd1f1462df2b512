import { type ExpressionCodec, expression, names, text, u16, u32 } from './codec.ts';

export type LogLevel = 'emerg' | 'alert' | 'crit' | 'err' | 'warn' | 'notice' | 'info' | 'debug' | 'audit';

/** Writes to the kernel's log at `level`, or sends the packet to an nfnetlink_log group; the rule goes on. */
export interface LogExpression {
  readonly kind: 'log';
  readonly prefix?: string;
  readonly group?: number;
  /** Bytes of the packet sent to the group; 0 is all. */
  readonly snaplen?: number;
  /** Packets that are gathered before they are sent. */
  readonly queueThreshold?: number;
  readonly level?: LogLevel;
  /** NF_LOG_*: 1 TCP sequence, 2 TCP options, 4 IP options, 8 user id, 32 MAC addresses. */
  readonly flags?: number;
}

export const log: ExpressionCodec<LogExpression> = expression<LogExpression>('log', [
  { type: 2, property: 'prefix', value: text },
  { type: 1, property: 'group', value: u16 },
  { type: 3, property: 'snaplen', value: u32 },
  { type: 4, property: 'queueThreshold', value: u16 },
  { type: 5, property: 'level', value: names(['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug', 'audit']) },
  { type: 6, property: 'flags', value: u32, standard: 0 },
]);
