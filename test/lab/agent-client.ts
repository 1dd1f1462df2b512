import { fileURLToPath } from 'node:url';
import { LabError } from './error.ts';
import type { LabProcess } from './process.ts';

const script = fileURLToPath(new URL('./agent.mjs', import.meta.url));

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: LabError) => void;
}

/** Talks to the socket agent of one host (agent.mjs), or to another process that speaks like it: requests and answers are JSON lines matched by id. */
export class AgentClient {
  readonly #process: LabProcess;
  readonly #waiting = new Map<number, Waiting>();
  #rest = '';
  #nextId = 1;

  /** Resolves when the agent answers. `spawn` starts a process inside the namespace: Node with these arguments. */
  static async start(
    spawn: (command: string, args: readonly string[]) => LabProcess,
    args: readonly string[] = [script],
  ): Promise<AgentClient> {
    const client = new AgentClient(spawn(process.execPath, args));
    await client.#answer(0);
    return client;
  }

  private constructor(agent: LabProcess) {
    this.#process = agent;
    agent.onStdout((chunk) => this.#read(chunk.toString('utf8')));
    void agent.exited.then(() => {
      for (const waiting of this.#waiting.values()) waiting.reject(new LabError('agent', `the socket agent ended\n${agent.report()}`));
      this.#waiting.clear();
    });
  }

  /** The shape of the answer is fixed by agent.mjs, which is the other half of this file. */
  async request<T>(action: string, fields: Readonly<Record<string, unknown>>): Promise<T> {
    const id = this.#nextId++;
    const answer = this.#answer(id);
    this.#process.write(`${JSON.stringify({ id, do: action, ...fields })}\n`);
    return (await answer) as T;
  }

  #answer(id: number): Promise<unknown> {
    if (!this.#process.running) return Promise.reject(new LabError('agent', `the socket agent has ended\n${this.#process.report()}`));
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const message = JSON.parse(line) as { id: number; ok?: unknown; error?: string };
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.error === undefined) waiting?.resolve(message.ok);
      else waiting?.reject(new LabError('agent', message.error));
    }
  }
}
