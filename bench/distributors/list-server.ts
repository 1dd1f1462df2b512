import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** A thread of its own: what is measured waits for nothing that it does. */
const PROGRAM = `const { createReadStream } = require('node:fs');
const { parentPort, workerData } = require('node:worker_threads');
const server = require('node:http').createServer((_, response) => createReadStream(workerData).pipe(response));
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));`;

/** Gives a file by HTTP on the loopback to whoever asks, as it is then. */
export async function serveList(path: string): Promise<{ readonly url: string; readonly close: () => Promise<number> }> {
  const worker = new Worker(PROGRAM, { eval: true, workerData: path });
  const [port]: unknown[] = await once(worker, 'message');
  return { url: `http://127.0.0.1:${String(port)}/list`, close: () => worker.terminate() };
}
