import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { ReaderCall, ReaderData } from './reader-protocol.ts';
import { Reading } from './reading.ts';

/** The reader of verdict events as a thread: its composition root. It sleeps in the kernel, so it looks for messages only when it is woken. */
const port = parentPort;
if (!port) throw new Error('the reader is started as a worker thread');

function calls(): readonly ReaderCall[] {
  const out: ReaderCall[] = [];
  if (!port) return out;
  for (let got = receiveMessageOnPort(port); got; got = receiveMessageOnPort(port)) out.push(got.message as ReaderCall);
  return out;
}

const { counts } = workerData as ReaderData;
new Reading(counts, (answer, transfer) => port.postMessage(answer, [...transfer]), calls).run();
port.close();
