import { NETLINK_NETFILTER, NetlinkSocket } from '@weir/sys';
import { Reader, Writer } from '@weir/wire/bytes';
import {
  beginMessage,
  decodeErrorMessage,
  decodeMessages,
  decodeNetfilterHeader,
  encodeNetfilterHeader,
  endMessage,
  NFNL_SUBSYS_ULOG,
  NLM_F_ACK,
  NLM_F_REQUEST,
  NLMSG_ERROR,
} from '../message/index.ts';
import { KernelError, type MonitorOutcome } from '../socket/index.ts';
import { encodeLogBind, type LogSettings, NFULNL_MSG } from './config.ts';
import { decodeLogPacket, type LogPacket } from './packet.ts';

const BUFFER = 256 * 1024;
const RECEIVE_BUFFER = 8 * 1024 * 1024;
const ANSWER_TIMEOUT = 10_000;
/** Datagrams that may come before the kernel has answered. */
const MAX_EARLY = 1_000;
const PACKET = (NFNL_SUBSYS_ULOG << 8) | NFULNL_MSG.packet;
const CONFIG = (NFNL_SUBSYS_ULOG << 8) | NFULNL_MSG.config;
const AF_UNSPEC = 0;
const ETIME = 62;

export interface LogListenerOptions extends LogSettings {
  /** nfnetlink_log group, as in `log group 5`. It can be listened to by one socket at a time. */
  readonly group: number;
  /** Network namespace: a name as in `ip netns`, or a path. */
  readonly netns?: string;
  /** Octets that may wait before the kernel drops; 8 MiB unless told. */
  readonly receiveBuffer?: number;
}

/**
 * The packets that rules with `log group N` see, from one network namespace. Reading never waits; `wait` and `waitReadable` do. Needs CAP_NET_ADMIN.
 * KernelError with EBUSY or EPERM when another socket has the group; SystemError where the socket fails.
 */
export class LogListener {
  readonly group: number;
  readonly #socket: NetlinkSocket;
  readonly #buffer = new Uint8Array(BUFFER);
  readonly #early: Uint8Array[] = [];

  constructor(options: LogListenerOptions) {
    this.group = options.group;
    this.#socket = NetlinkSocket.open(NETLINK_NETFILTER, {
      receiveBuffer: options.receiveBuffer ?? RECEIVE_BUFFER,
      ...(options.netns === undefined ? {} : { netns: options.netns }),
    });
    try {
      this.#bind(options);
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  /**
   * Gives the packets that wait to `visit`, at most `limit` datagrams of them; one carries many. `overrun`: some were lost because they were not read in time. DecodeError when the
   * bytes are not netlink messages.
   */
  read(visit: (packet: LogPacket) => void, limit = 256): MonitorOutcome {
    for (const bytes of this.#early.splice(0)) this.#decode(new Reader(bytes), visit);
    let lost = false;
    for (let i = 0; i < limit; i++) {
      const got = this.#socket.receive(this.#buffer);
      if (got.kind === 'empty') return lost ? 'overrun' : 'empty';
      if (got.kind === 'data') this.#decode(new Reader(this.#buffer, 0, got.length), visit);
      else lost = true;
    }
    return lost ? 'overrun' : 'more';
  }

  /** To be waited for with others (epoll); it stays the listener's. Something may wait already when it is new: read it first. */
  get descriptor(): number {
    return this.#socket.descriptor;
  }

  /** Resolves to true when something waits, to false after `timeout` ms or when the listener is closed. The thread's event loop stays free. */
  async waitReadable(timeout: number): Promise<boolean> {
    return this.#early.length > 0 || (await this.#socket.waitReadable(timeout));
  }

  /** Blocks this thread until something waits, at most `timeout` ms. */
  wait(timeout: number): boolean {
    return this.#early.length > 0 || this.#socket.wait(timeout);
  }

  /** Gives the group up. Calling it again does nothing. */
  close(): void {
    this.#socket.close();
  }

  #decode(r: Reader, visit: (packet: LogPacket) => void): void {
    decodeMessages(r, (header, payload) => {
      if (header.type !== PACKET) return true;
      const { family, resource } = decodeNetfilterHeader(payload);
      visit(decodeLogPacket(family, resource, payload));
      return true;
    });
  }

  #bind(options: LogListenerOptions): void {
    const w = new Writer(128);
    const at = beginMessage(w, CONFIG, NLM_F_REQUEST | NLM_F_ACK, 1);
    encodeNetfilterHeader(w, AF_UNSPEC, options.group);
    encodeLogBind(w, options);
    endMessage(w, at);
    this.#socket.send(w.view());
    const operation = `bind log group ${options.group}`;
    for (let i = 0; i < MAX_EARLY; i++) {
      const got = this.#socket.receive(this.#buffer);
      if (got.kind === 'empty') {
        if (!this.#socket.wait(ANSWER_TIMEOUT)) break;
        continue;
      }
      if (got.kind !== 'data') continue;
      let answered = false;
      decodeMessages(new Reader(this.#buffer, 0, got.length), (header, payload) => {
        if (header.type !== NLMSG_ERROR || header.sequence !== 1) return true;
        const answer = decodeErrorMessage(header, payload);
        if (answer.errno !== 0) throw new KernelError(operation, answer.errno, answer);
        answered = true;
        return false;
      });
      if (answered) return;
      // A packet was faster than the answer.
      this.#early.push(this.#buffer.slice(0, got.length));
    }
    throw new KernelError(operation, ETIME, { message: 'no answer' });
  }
}
