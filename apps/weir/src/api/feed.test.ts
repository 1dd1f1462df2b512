import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ApiError, type Backend } from './backend.ts';
import { ControlClient } from './client.ts';
import { FeedClient } from './feed-client.ts';
import { ControlServer, type ControlServerOptions } from './server.ts';

/** Takes what is handed over, and asks with each line that it gets. */
class Ears {
  heard = '';
  closed: string | undefined;
  uid: number | undefined;
  refuses = false;

  get backend(): Backend {
    return {
      peers: async () => ({ format_version: 1, peers: [] }),
      feed: async (uid: number | undefined, send: (command: string) => void) => {
        if (this.refuses) throw new ApiError('refused', 'not you');
        this.uid = uid;
        send('first');
        return {
          push: (chunk: Uint8Array) => {
            this.heard += Buffer.from(chunk).toString();
            send(`heard ${this.heard.length}`);
          },
          close: (why: string) => {
            this.closed = why;
          },
        };
      },
    } as unknown as Backend;
  }
}

let directory = '';
let server: ControlServer | undefined;
const ears = (): { ears: Ears; open(more?: Partial<ControlServerOptions>): Promise<string> } => {
  const own = new Ears();
  return {
    ears: own,
    open: async (more = {}) => {
      const path = join(directory, 'feed.sock');
      server = await ControlServer.open({ path, backend: own.backend, onError: () => undefined, ...more });
      return path;
    },
  };
};

async function until(done: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !done(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(done()).toBe(true);
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-feed-'));
});

afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(directory, { recursive: true });
});

describe('handing over', () => {
  test('bytes go one way and commands the other; the end is told', async () => {
    const { ears: own, open } = ears();
    const path = await open();
    const commands: string[] = [];
    const client = await FeedClient.connect({ path, onCommand: (command) => commands.push(command), onEnd: () => undefined });
    expect(commands).toEqual(['first']);
    // More than a request may have, and no JSON.
    const bytes = Buffer.from(`{ "x": 1 }\n${'y'.repeat(200_000)}\n`);
    client.write(bytes);
    await until(() => own.heard.length === bytes.length);
    await until(() => commands.includes(`heard ${bytes.length}`));
    expect(own.uid).toBe(process.geteuid?.());
    await client.end();
    await until(() => own.closed !== undefined);
  });

  test('the end of the daemon is told once', async () => {
    const { open } = ears();
    const path = await open();
    const ends: Error[] = [];
    await FeedClient.connect({ path, onCommand: () => undefined, onEnd: (error) => ends.push(error) });
    await server?.close();
    await until(() => ends.length > 0);
    expect(ends).toHaveLength(1);
  });

  test('who may not is told so, and where there is no daemon', async () => {
    const { ears: own, open } = ears();
    own.refuses = true;
    const path = await open();
    const options = { onCommand: () => undefined, onEnd: () => undefined };
    await expect(FeedClient.connect({ path, ...options })).rejects.toMatchObject({ code: 'refused', message: 'not you' });
    await expect(FeedClient.connect({ path: `${path}.none`, ...options })).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('a socket for that alone answers nothing else, and belongs to its user', async () => {
    const { ears: own, open } = ears();
    const uid = process.geteuid?.() ?? 0;
    const user = uid === 0 ? 65534 : uid;
    const path = await open({ only: { method: 'exabgp', user } });
    expect({ uid: statSync(path).uid, mode: statSync(path).mode & 0o777 }).toEqual({ uid: user, mode: 0o660 });
    const client = await ControlClient.connect(path);
    await expect(client.call('peers', {})).rejects.toMatchObject({ code: 'refused' });
    client.close();
    const feed = await FeedClient.connect({ path, onCommand: () => undefined, onEnd: () => undefined });
    feed.write(Buffer.from('x\n'));
    await until(() => own.heard === 'x\n');
    feed.close();
  });
});
