import { errnoName } from '@weir/sys';
import type { ExtendedAck } from '../message/index.ts';

export interface KernelErrorFields<Tag> extends ExtendedAck {
  readonly tag?: Tag | undefined;
  readonly index?: number | undefined;
  readonly item?: number | undefined;
}

/**
 * The kernel refused a request. `code` is the errno's name (`EEXIST`), `operation` says what was asked (`add rule`).
 * `tag` is what the caller attached to the message, for a message of a transaction.
 */
export class KernelError<Tag = unknown> extends Error {
  readonly code: string;
  readonly operation: string;
  /** Positive. */
  readonly errno: number;
  /** The kernel's own text, where it gives one. */
  readonly kernelMessage: string | undefined;
  readonly tag: Tag | undefined;
  /** Which message of its transaction was refused, from 0; undefined when it is the transaction as a whole. */
  readonly index: number | undefined;
  /** Which item of that message's list (element of a set, expression of a rule) was refused, numbered as the caller handed them in. */
  readonly item: number | undefined;
  /** Of the attribute at fault, from the start of the message. */
  readonly offset: number | undefined;
  /** The attribute type that the kernel missed. */
  readonly missingType: number | undefined;

  constructor(operation: string, errno: number, fields: KernelErrorFields<Tag> = {}) {
    const where = fields.item === undefined ? '' : ` at item ${fields.item}`;
    const missing = fields.missingType === undefined ? '' : `, attribute ${fields.missingType} is missing`;
    super(`${operation}${where}: ${errnoName(errno)}${fields.message ? ` (${fields.message})` : ''}${missing}`);
    this.name = 'KernelError';
    this.code = errnoName(errno);
    this.operation = operation;
    this.errno = errno;
    this.kernelMessage = fields.message;
    this.tag = fields.tag;
    this.index = fields.index;
    this.item = fields.item;
    this.offset = fields.offset;
    this.missingType = fields.missingType;
  }
}
