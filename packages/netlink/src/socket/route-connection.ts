import { NETLINK_ROUTE, NetlinkSocket } from '@weir/sys';
import { Reader, Writer } from '@weir/wire/bytes';
import {
  beginMessage,
  decodeDone,
  decodeErrorMessage,
  decodeMessages,
  endMessage,
  type Header,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
} from '../message/index.ts';
import { KernelError } from './kernel-error.ts';

const ETIME = 62;
const ANSWER_TIMEOUT = 5_000;
/** Datagrams of one answer: of a dump about 3 GiB. */
const MAX_ANSWERS = 100_000;
/** The kernel fills at most 32 KiB of a dump's datagram. */
const BUFFER = 64 * 1024;

export interface RouteRequest {
  /** RTM_*. */
  readonly type: number;
  /** What it does, for errors: `add an address`. */
  readonly operation: string;
  /** Besides NLM_F_REQUEST and what the call implies. */
  readonly flags?: number;
  /** Writes the family's fixed header, such as `struct ifinfomsg`, and the attributes. */
  readonly encode: (w: Writer) => void;
}

/** A message of an answer; `payload` begins with its fixed header, over a buffer that is used again after the call. */
export type RouteVisit = (header: Header, payload: Reader) => void;

/**
 * Requests and dumps on one NETLINK_ROUTE socket (rtnetlink(7)): interfaces, addresses, routes, rules, traffic control. Calls are synchronous. KernelError where the kernel refuses,
 * SystemError where the socket fails.
 */
export class RouteConnection {
  readonly #socket: NetlinkSocket;
  readonly #buffer = new Uint8Array(BUFFER);
  readonly #writer = new Writer(256);
  #sequence = 0;

  /** `netns`: a name as in `ip netns`, or a path. `strictCheck`: lists have only what their header and attributes ask for. */
  constructor(netns?: string | undefined, { strictCheck = false }: { readonly strictCheck?: boolean } = {}) {
    const options = { capAck: true, extAck: true, strictCheck };
    this.#socket = NetlinkSocket.open(NETLINK_ROUTE, { ...(netns === undefined ? {} : { netns }), ...options });
  }

  /** Asks for something and waits for the acknowledgement; what is answered before it goes to `visit`. */
  request(request: RouteRequest, visit: RouteVisit = () => undefined): void {
    this.#exchange(request, NLM_F_ACK, visit);
  }

  /** Gives every message of a list to `visit`. */
  dump(request: RouteRequest, visit: RouteVisit): void {
    this.#exchange(request, NLM_F_DUMP, visit);
  }

  /** Calling it again does nothing. */
  close(): void {
    this.#socket.close();
  }

  #exchange({ type, operation, flags = 0, encode }: RouteRequest, implied: number, visit: RouteVisit): void {
    const w = this.#writer;
    w.reset();
    this.#sequence = (this.#sequence + 1) >>> 0;
    const at = beginMessage(w, type, NLM_F_REQUEST | implied | flags, this.#sequence);
    encode(w);
    endMessage(w, at);
    this.#socket.send(w.view());
    for (let i = 0; i < MAX_ANSWERS; i++) {
      const got = this.#socket.receive(this.#buffer);
      if (got.kind === 'empty' && !this.#socket.wait(ANSWER_TIMEOUT)) break;
      if (got.kind === 'data' && isAnswered(new Reader(this.#buffer, 0, got.length), this.#sequence, operation, visit)) return;
    }
    throw new KernelError(operation, ETIME, { message: 'no answer' });
  }
}

/** Whether the answer ends in this datagram. */
function isAnswered(r: Reader, sequence: number, operation: string, visit: RouteVisit): boolean {
  let answered = false;
  decodeMessages(r, (header, payload) => {
    if (header.sequence !== sequence) return true;
    if (header.type === NLMSG_ERROR || header.type === NLMSG_DONE) {
      const answer = header.type === NLMSG_DONE ? decodeDone(header, payload) : decodeErrorMessage(header, payload);
      if (answer.errno !== 0) throw new KernelError(operation, answer.errno, answer);
      answered = true;
    } else visit(header, payload);
    return !answered;
  });
  return answered;
}
