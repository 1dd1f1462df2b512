import type { AgentClient } from './agent-client.ts';

/** `refused`: a reset came back. `unreachable`: an ICMP error or a local refusal. `timeout`: nothing came back. */
export type ConnectOutcome = 'connected' | 'refused' | 'unreachable' | 'timeout';

/** A TCP server that echoes. */
export interface TcpServer {
  readonly port: number;
  state(): Promise<{ readonly accepted: number; readonly open: number }>;
  /** Resets what is open and stops listening. */
  close(): Promise<void>;
}

/** An established connection to a TcpServer. */
export interface HeldConnection {
  readonly localPort: number;
  /** Sends `text` and waits for its echo: `timeout` when nothing comes back, `closed` when the connection was ended. */
  echo(text: string, timeoutMs?: number): Promise<'echo' | 'timeout' | 'closed'>;
  close(): Promise<void>;
}

export interface Datagram {
  readonly text: string;
  readonly address: string;
  readonly port: number;
}

export interface UdpSocket {
  readonly port: number;
  send(address: string, port: number, text: string): Promise<'sent' | 'refused' | 'unreachable'>;
  /** The next datagram, or undefined after `timeoutMs`. At most 4,096 wait; further ones are only counted. */
  receive(timeoutMs?: number): Promise<Datagram | undefined>;
  /** Datagrams received so far. */
  count(): Promise<number>;
  close(): Promise<void>;
}

/** What happened to a steady stream of connections. Times are milliseconds since its start, of the attempt. */
export interface StreamReport {
  readonly attempts: number;
  readonly connected: number;
  readonly refused: number;
  readonly timeout: number;
  readonly unreachable: number;
  /** Attempts that the generator could not make because 8,192 were in flight. */
  readonly skipped: number;
  /** Local failures that say nothing about the network. */
  readonly errors: number;
  readonly slowestMicros: number;
  /** Each attempt whose outcome differs from the one that ended before it; at most 1,000. */
  readonly changes: readonly { readonly atMs: number; readonly outcome: string }[];
}

export interface ConnectStream {
  report(): Promise<StreamReport>;
  /** Stops, waits for what is in flight, returns the final report. */
  stop(): Promise<StreamReport>;
}

export interface StreamOptions {
  readonly address: string;
  readonly port: number;
  /** Attempts a second. */
  readonly perSecond: number;
  /** Default 800: below the one second after which the kernel repeats a lost SYN, so that one lost packet is one failure. */
  readonly timeoutMs?: number;
  /** Local address. */
  readonly source?: string;
}

export interface ConnectOptions {
  readonly source?: string;
  readonly sourcePort?: number;
}

/** The sockets of one namespace, opened by its agent. */
export class Sockets {
  readonly #agent: AgentClient;

  constructor(agent: AgentClient) {
    this.#agent = agent;
  }

  async tcpServer(address: string, port: number): Promise<TcpServer> {
    const agent = this.#agent;
    const { handle, port: bound } = await agent.request<{ handle: number; port: number }>('tcpServer', { address, port });
    return {
      port: bound,
      state: () => agent.request('tcpServerState', { handle }),
      close: async () => void (await agent.request('tcpServerClose', { handle })),
    };
  }

  async tcpConnect(address: string, port: number, timeoutMs: number, options: ConnectOptions = {}): Promise<ConnectOutcome> {
    return (await this.#agent.request<{ outcome: ConnectOutcome }>('tcpConnect', { address, port, timeoutMs, ...options })).outcome;
  }

  async tcpHold(address: string, port: number, timeoutMs: number, options: ConnectOptions = {}): Promise<HeldConnection | undefined> {
    const agent = this.#agent;
    const answer = await agent.request<{ outcome: ConnectOutcome; handle?: number; localPort?: number }>('tcpHold', {
      address,
      port,
      timeoutMs,
      ...options,
    });
    const { handle, localPort } = answer;
    if (handle === undefined || localPort === undefined) return undefined;
    return {
      localPort,
      echo: async (text, echoMs = 1_000) =>
        (await agent.request<{ outcome: 'echo' | 'timeout' | 'closed' }>('tcpEcho', { handle, text, timeoutMs: echoMs })).outcome,
      close: async () => void (await agent.request('tcpRelease', { handle })),
    };
  }

  async udpSocket(address: string, port: number, echo: boolean): Promise<UdpSocket> {
    const agent = this.#agent;
    const { handle, port: bound } = await agent.request<{ handle: number; port: number }>('udpSocket', { address, port, echo });
    return {
      port: bound,
      send: async (to, toPort, text) =>
        (await agent.request<{ outcome: 'sent' | 'refused' | 'unreachable' }>('udpSend', { handle, address: to, port: toPort, text }))
          .outcome,
      receive: async (timeoutMs = 1_000) => (await agent.request<{ datagram?: Datagram }>('udpReceive', { handle, timeoutMs })).datagram,
      count: async () => (await agent.request<{ count: number }>('udpState', { handle })).count,
      close: async () => void (await agent.request('udpClose', { handle })),
    };
  }

  async connectStream(options: StreamOptions): Promise<ConnectStream> {
    const agent = this.#agent;
    const { handle } = await agent.request<{ handle: number }>('streamStart', { timeoutMs: 800, ...options });
    return {
      report: async () => (await agent.request<{ report: StreamReport }>('streamReport', { handle })).report,
      stop: async () => (await agent.request<{ report: StreamReport }>('streamStop', { handle })).report,
    };
  }
}
