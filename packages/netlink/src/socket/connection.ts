import { NETLINK_NETFILTER, NetlinkSocket } from '@weir/sys';
import { Reader, Writer } from '@weir/wire/bytes';
import {
  beginMessage,
  decodeDone,
  decodeErrorMessage,
  decodeMessages,
  decodeNetfilterHeader,
  encodeNetfilterHeader,
  endMessage,
  type Header,
  type NetfilterHeader,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_MULTI,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_NOOP,
  NLMSG_OVERRUN,
} from '../message/index.ts';
import type { Batch } from './batch.ts';
import { KernelError } from './kernel-error.ts';

const EINTR = 4;
const ENOBUFS = 105;
const ERESTART = 85;
const ETIME = 62;
const EPROTO = 71;

/** The kernel fills at most 32 KiB of a dump's datagram. */
const BUFFER = 64 * 1024;
const RECEIVE_BUFFER = 4 * 1024 * 1024;
/** Bounds what the refusals of one transaction may take: about 25,000 of them. */
const MAX_RECEIVE_BUFFER = 64 * 1024 * 1024;
/** What one error datagram is counted as against the receive buffer, with the kernel's overhead. */
const ERROR_FOOTPRINT = 2560;
const ANSWER_TIMEOUT = 10_000;

export interface ConnectionOptions {
  /** Network namespace to work on: a name as in `ip netns`, or a path. */
  readonly netns?: string;
  /** Bytes that may wait to be received; 4 MiB unless told. Transactions raise it as they need. */
  readonly receiveBuffer?: number;
  /** An open descriptor whose socket is used instead of a new one where it is a NETLINK_NETFILTER socket of the namespace; see `adopted`. */
  readonly adopt?: number;
}

/** A message of the subsystem, in an answer or a notification. `payload` is over a buffer that is used again after the call. */
export type Visit = (header: Header, netfilter: NetfilterHeader, payload: Reader) => void;

export interface Request {
  /** Subsystem << 8 | message. */
  readonly type: number;
  readonly family: number;
  /** What it does, for errors: `list rules`. */
  readonly operation: string;
  /** Besides NLM_F_REQUEST and what the call implies. */
  readonly flags?: number;
  /** Writes the attributes. */
  readonly encode?: (w: Writer) => void;
}

export interface DumpVisitor {
  /** Called before each attempt: what earlier ones gave is void. */
  start?(attempt: number): void;
  readonly message: Visit;
}

/**
 * `committed`: everything took effect. `stale`: the ruleset is of another generation than was asked for; nothing took effect. `refused`: nothing
 * took effect; every refusal that the kernel reported, in the order of the messages, one a message at most; `complete` is false when
 * some were lost. `unknown`: the kernel's answer was lost; read the state again.
 */
export type CommitResult<Tag> =
  | { readonly kind: 'committed' }
  | { readonly kind: 'stale' }
  | { readonly kind: 'refused'; readonly errors: readonly KernelError<Tag>[]; readonly complete: boolean }
  | { readonly kind: 'unknown' };

export interface CommitOptions {
  /** Commit only if the ruleset is still of this generation; 0 or absent: whatever it is. */
  readonly generation?: number;
  /** The kernel's copy of a message that was added with NLM_F_ECHO: with the handle that it got. */
  readonly echo?: (index: number, header: Header, netfilter: NetfilterHeader, payload: Reader) => void;
}

/**
 * Requests, dumps and transactions on one NETLINK_NETFILTER socket. Calls are synchronous: the kernel handles a request before the system call returns.
 * A dump or commit may keep the thread busy for as long as the kernel works on it. KernelError where the kernel refuses, SystemError where the socket fails.
 */
export class NetfilterConnection {
  /** Whether the socket is the one of `adopt`. */
  readonly adopted: boolean;
  readonly #socket: NetlinkSocket;
  readonly #buffer = new Uint8Array(BUFFER);
  readonly #writer = new Writer(1024);
  #sequence = 1;
  #sendLimit: number;
  #receiveLimit: number;

  constructor(options: ConnectionOptions = {}) {
    const settings = { ...(options.netns === undefined ? {} : { netns: options.netns }), capAck: true, extAck: true };
    const adopted = options.adopt === undefined ? undefined : NetlinkSocket.adopt(options.adopt, NETLINK_NETFILTER, settings);
    this.adopted = adopted !== undefined;
    this.#socket = adopted ?? NetlinkSocket.open(NETLINK_NETFILTER, settings);
    try {
      this.#sendLimit = this.#socket.setSendBuffer(1024 * 1024);
      this.#receiveLimit = this.#socket.setReceiveBuffer(options.receiveBuffer ?? RECEIVE_BUFFER);
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  /** The socket's descriptor. It stays this object's. */
  get descriptor(): number {
    return this.#socket.descriptor;
  }

  /** The port id that tables with an owner carry. */
  get portId(): number {
    return this.#socket.portId;
  }

  /**
   * Sends one request and gives its answers to `visit`, if any. Without `visit`, or with `acknowledge`, the kernel is asked for an acknowledgement,
   * else the request must be one that the kernel answers with exactly one message.
   */
  request(request: Request, visit?: Visit): void {
    const sequence = this.#send(request, visit ? 0 : NLM_F_ACK);
    let done = false;
    this.#receive(request.operation, sequence, (header, r) => {
      if (header.type === NLMSG_ERROR) {
        const answer = decodeErrorMessage(header, r);
        if (answer.errno !== 0) throw new KernelError(request.operation, answer.errno, answer);
        done = true;
      } else {
        visit?.(header, decodeNetfilterHeader(r), r);
        done = visit !== undefined && (header.flags & NLM_F_MULTI) === 0;
      }
      return !done;
    });
  }

  /**
   * Dumps, and begins again when the kernel says that the dump was interrupted by a change (EINTR, NLM_F_DUMP_INTR) or that messages were lost (ENOBUFS), at most
   * `attempts` times; then KernelError with EINTR or ENOBUFS. A dump of set elements can miss elements without saying so: see `dumpElements`.
   */
  dump(request: Request, visitor: DumpVisitor, attempts = 8): void {
    for (let attempt = 1; ; attempt++) {
      visitor.start?.(attempt);
      const errno = this.#dumpOnce(request, visitor.message);
      if (errno === 0) return;
      if (attempt >= attempts) throw new KernelError(request.operation, errno, { message: `interrupted ${attempts} times` });
    }
  }

  #dumpOnce(request: Request, visit: Visit): number {
    const sequence = this.#send(request, NLM_F_DUMP);
    let interrupted = 0;
    let failure: { readonly error: unknown } | undefined;
    const outcome = this.#receive(request.operation, sequence, (header, r) => {
      if (header.flags & NLM_F_DUMP_INTR) interrupted = EINTR;
      if (header.type === NLMSG_DONE) {
        const end = decodeDone(header, r);
        if (end.errno === EINTR) interrupted = EINTR;
        else if (end.errno !== 0 && interrupted === 0) throw new KernelError(request.operation, end.errno, end);
        return false;
      }
      if (header.type === NLMSG_ERROR) {
        const answer = decodeErrorMessage(header, r);
        if (answer.errno === EINTR) {
          interrupted = EINTR;
          return false;
        }
        throw new KernelError(request.operation, answer.errno === 0 ? EPROTO : answer.errno, answer);
      }
      // The rest of a dump is read even when it is of no use any more, or the next request would be answered EBUSY.
      if (interrupted !== 0 || failure) return true;
      try {
        visit(header, decodeNetfilterHeader(r), r);
      } catch (error) {
        failure = { error };
      }
      return true;
    });
    if (failure) throw failure.error;
    return outcome === 'overrun' ? ENOBUFS : interrupted;
  }

  /** Sends several requests of one kind in one datagram and gives each answer to `visit`, or its refusal to `refuse`. Each request must be answered by one message; an acknowledgement goes to neither. */
  requestMany(
    requests: readonly Request[],
    visit: (index: number, header: Header, netfilter: NetfilterHeader, payload: Reader) => void,
    refuse: (index: number, error: KernelError) => void,
  ): void {
    if (requests.length === 0) return;
    this.#drain();
    const w = this.#writer;
    w.reset();
    const base = this.#next(requests.length);
    requests.forEach((request, i) => {
      const at = beginMessage(w, request.type, NLM_F_REQUEST | (request.flags ?? 0), (base + i) >>> 0);
      encodeNetfilterHeader(w, request.family, 0);
      request.encode?.(w);
      endMessage(w, at);
    });
    this.#growSend(w.length);
    this.#growReceive(requests.length);
    this.#socket.send(w.view());
    let left = requests.length;
    const outcome = this.#receiveAll(requests[0]?.operation ?? 'request', (header, r) => {
      const index = (header.sequence - base) >>> 0;
      const request = requests[index];
      if (!request) return true;
      if (header.type === NLMSG_ERROR) {
        const answer = decodeErrorMessage(header, r);
        if (answer.errno !== 0) refuse(index, new KernelError(request.operation, answer.errno, { ...answer, index }));
      } else visit(index, header, decodeNetfilterHeader(r), r);
      left--;
      return left > 0;
    });
    if (outcome === 'overrun') throw new KernelError(requests[0]?.operation ?? 'request', ENOBUFS);
  }

  /**
   * Sends a transaction. Only its last message asks for an acknowledgement; errors come for every message that is refused. The kernel
   * works through the whole datagram before the system call returns, so all answers are there to be read then: success is the acknowledgement without any error.
   */
  commit<Tag>(batch: Batch<Tag>, options: CommitOptions = {}): CommitResult<Tag> {
    if (batch.count === 0) return { kind: 'committed' };
    this.#drain();
    const base = this.#next(batch.count + 2);
    const bytes = batch.seal(base, options.generation ?? 0);
    this.#growSend(bytes.length);
    this.#growReceive(batch.count);
    this.#socket.send(bytes);
    const errors: KernelError<Tag>[] = [];
    let acknowledged = false;
    let stale = false;
    const outcome = this.#receiveAll(
      'commit',
      (header, r) => {
        const index = ((header.sequence - base) >>> 0) - 1;
        const message = batch.message(index);
        if (header.type !== NLMSG_ERROR) {
          if (message) options.echo?.(index, header, decodeNetfilterHeader(r), r);
          return true;
        }
        const answer = decodeErrorMessage(header, r);
        if (answer.errno === 0) acknowledged ||= index === batch.count - 1;
        else if (answer.errno === ERESTART) stale = true;
        else {
          const item = message && answer.offset !== undefined ? batch.itemAt(index, answer.offset) : undefined;
          const fields = { ...answer, tag: message?.tag, index: message ? index : undefined, item };
          errors.push(new KernelError<Tag>(message?.operation ?? 'commit', answer.errno, fields));
        }
        return true;
      },
      true,
    );
    if (stale) return { kind: 'stale' };
    if (errors.length > 0) return { kind: 'refused', errors, complete: outcome !== 'overrun' };
    return acknowledged ? { kind: 'committed' } : { kind: 'unknown' };
  }

  /** Closes the socket; what it owns without PERSIST goes with it. Calling it again does nothing. */
  close(): void {
    this.#socket.close();
  }

  #next(count: number): number {
    const first = this.#sequence;
    // 0 is what notifications carry.
    this.#sequence = first + count > 0x7fffffff ? 1 : first + count;
    return first + count > 0x7fffffff ? this.#next(count) : first;
  }

  #send(request: Request, flags: number): number {
    this.#drain();
    const w = this.#writer;
    w.reset();
    const sequence = this.#next(1);
    const at = beginMessage(w, request.type, NLM_F_REQUEST | flags | (request.flags ?? 0), sequence);
    encodeNetfilterHeader(w, request.family, 0);
    request.encode?.(w);
    endMessage(w, at);
    this.#growSend(w.length);
    this.#socket.send(w.view());
    return sequence;
  }

  #growSend(bytes: number): void {
    const need = bytes + 4096;
    if (need > this.#sendLimit) this.#sendLimit = this.#socket.setSendBuffer(need);
  }

  #growReceive(messages: number): void {
    const need = Math.min(messages * ERROR_FOOTPRINT, MAX_RECEIVE_BUFFER);
    if (need > this.#receiveLimit) this.#receiveLimit = this.#socket.setReceiveBuffer(need);
  }

  /** Drops what an earlier, broken-off exchange left. */
  #drain(): void {
    while (this.#socket.receive(this.#buffer).kind !== 'empty');
  }

  #receive(operation: string, sequence: number, visit: (header: Header, r: Reader) => boolean): 'done' | 'overrun' {
    return this.#receiveAll(operation, (header, r) => (header.sequence === sequence ? visit(header, r) : true));
  }

  /** Reads datagrams until `visit` returns false, or, with `untilEmpty`, until none waits. An overrun is remembered; what still comes is read. */
  #receiveAll(operation: string, visit: (header: Header, r: Reader) => boolean, untilEmpty = false): 'done' | 'overrun' {
    let outcome: 'done' | 'overrun' = 'done';
    for (let more = true; more; ) {
      const got = this.#socket.receive(this.#buffer);
      if (got.kind === 'overrun') {
        outcome = 'overrun';
        continue;
      }
      if (got.kind === 'empty') {
        if (untilEmpty || outcome === 'overrun') return outcome;
        if (!this.#socket.wait(ANSWER_TIMEOUT)) throw new KernelError(operation, ETIME, { message: 'no answer' });
        continue;
      }
      if (got.kind === 'truncated') throw new KernelError(operation, EPROTO, { message: `a datagram of ${got.needed} bytes` });
      decodeMessages(new Reader(this.#buffer, 0, got.length), (header, r) => {
        if (header.type === NLMSG_NOOP) return true;
        if (header.type === NLMSG_OVERRUN) {
          outcome = 'overrun';
          return true;
        }
        more = visit(header, r);
        return more;
      });
    }
    return outcome;
  }
}
