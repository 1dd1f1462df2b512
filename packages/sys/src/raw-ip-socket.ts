import type { Family, Ip } from '@weir/wire/inet';
import { SystemError } from './libc.ts';
import { inNetworkNamespace } from './netns.ts';
import { SendBatch } from './send-batch.ts';
import { sockaddr } from './sockaddr.ts';
import { closeFd, openSocket } from './socket.ts';
import { AF_INET, AF_INET6, SOCK_RAW } from './socket-constants.ts';
import { bindToDevice, IPV6_HDRINCL, SO_BROADCAST, SO_MARK, setIntOption } from './socket-option.ts';

/** Sends only; the header is given with each packet. */
const IPPROTO_RAW = 255;

export interface RawIpSocketOptions {
  readonly family: Family;
  /** A name as in `ip netns`, or a path. */
  readonly netns?: string;
  /** All that is sent goes out by this interface, what is for broadcast, multicast and link-local addresses too. */
  readonly interface?: string;
}

/** A packet with its IP header, and where the kernel is to route it. */
export interface RawIpPacket {
  readonly bytes: Uint8Array;
  readonly to: Ip;
}

/**
 * A raw socket that sends IP packets with their headers (raw(7)): they pass the output hook as what a local process sends. For IPv4 the kernel writes total length and header checksum, and the
 * identification and source address where they are zero. Calls do not block. Needs CAP_NET_RAW. Throws SystemError.
 */
export class RawIpSocket {
  readonly #fd: number;
  readonly #batch: SendBatch;
  #closed = false;

  private constructor(fd: number) {
    this.#fd = fd;
    this.#batch = new SendBatch();
  }

  /** Opens a socket, inside `netns` where given. */
  static open(options: RawIpSocketOptions): RawIpSocket {
    const domain = options.family === 4 ? AF_INET : AF_INET6;
    const make = (): number => openSocket(domain, SOCK_RAW, IPPROTO_RAW);
    const fd = options.netns === undefined ? make() : inNetworkNamespace(options.netns, make);
    try {
      if (options.family === 6) setIntOption(fd, IPV6_HDRINCL, 1);
      if (options.interface !== undefined) {
        bindToDevice(fd, options.interface);
        setIntOption(fd, SO_BROADCAST, 1);
      }
      return new RawIpSocket(fd);
    } catch (error) {
      closeFd(fd);
      throw error;
    }
  }

  /** The mark (SO_MARK) of the packets that are sent from now on. */
  setMark(mark: number): void {
    setIntOption(this.#open(), SO_MARK, mark);
  }

  /** Sends one packet; returns false when a firewall of this machine refused it (EPERM). SystemError for other refusals: no route, a header that is no IP header. */
  send(packet: RawIpPacket): boolean {
    const fd = this.#open();
    this.#batch.clear();
    if (!this.#batch.add(packet.bytes, sockaddr(packet.to, 0))) throw new RangeError(`a packet of ${packet.bytes.length} bytes`);
    try {
      return this.#batch.send(fd, 0) === 1;
    } catch (error) {
      if (error instanceof SystemError && error.code === 'EPERM') return false;
      throw error;
    }
  }

  /** Calling it again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#batch.release();
    closeFd(this.#fd);
  }

  #open(): number {
    if (this.#closed) throw new SystemError('raw', 9, 'the socket is closed');
    return this.#fd;
  }
}
