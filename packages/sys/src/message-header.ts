import { libc, native } from './libc.ts';

/** `struct msghdr` with one part and one stretch of control data. Octets are given as arrays, or as memory that `native().alloc` made. */
export interface MessageHeader {
  readonly name: Uint8Array | null;
  readonly nameLength: number;
  readonly parts: readonly { readonly base: unknown; readonly length: number }[];
  readonly partCount: number;
  readonly control: unknown;
  readonly controlLength: number;
  readonly flags: number;
}

interface MessageCalls {
  readonly sendmsg: (fd: number, message: MessageHeader, flags: number) => number;
  /** Writes into `message` what the kernel did. */
  readonly recvmsg: (fd: number, message: MessageHeader, flags: number) => number;
}

let calls: MessageCalls | undefined;

/** sendmsg and recvmsg, generic ABI of 64 bits. */
export function messageCalls(): MessageCalls {
  if (calls) return calls;
  const koffi = native();
  const iovec = koffi.struct({ base: 'void *', length: 'size_t' });
  const msghdr = koffi.struct({
    name: 'void *',
    nameLength: 'uint32_t',
    parts: koffi.pointer(iovec),
    partCount: 'size_t',
    control: 'void *',
    controlLength: 'size_t',
    flags: 'int',
  });
  calls = {
    sendmsg: libc().func('sendmsg', 'intptr_t', ['int', koffi.pointer(msghdr), 'int']) as unknown as MessageCalls['sendmsg'],
    recvmsg: libc().func('recvmsg', 'intptr_t', ['int', koffi.inout(koffi.pointer(msghdr)), 'int']) as unknown as MessageCalls['recvmsg'],
  };
  return calls;
}
