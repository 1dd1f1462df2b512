import { parentPort, workerData } from 'node:worker_threads';
import { NftBackend } from '../kernel/nft/nft-backend.ts';
import { PolicyRouting } from '../kernel/routes/index.ts';
import type { KernelEvent } from '../model/kernel-port.ts';
import { EbpfService } from './ebpf-service.ts';
import { holdSocket } from './held-socket.ts';
import { PolicyRoutes } from './policy-routes/index.ts';
import { PolicyReceiver } from './policy-transfer.ts';
import { TenantsService } from './tenants-service.ts';
import { type Answer, type Call, plainError, type Results, type WorkerData } from './worker-protocol.ts';

/** The kernel worker: its composition root. */
const port = parentPort;
if (!port) throw new Error('the kernel worker is started as a worker thread');
const { netns, stateDirectory, heldSocket } = workerData as WorkerData;
const post = (answer: Answer): void => port.postMessage(answer);

const policies = new PolicyReceiver();

async function answer(service: TenantsService, call: Call): Promise<Results[keyof Results]> {
  switch (call.kind) {
    case 'rules':
      policies.take(call.piece);
      return undefined;
    case 'configure':
      return service.configure(call.policy ? policies.put(call.config, call.policy) : call.config, call.earlier);
    case 'flows':
      return service.flows(call.delta).then(() => undefined);
    case 'watch':
      return service.watch(call.hops).then(() => undefined);
    case 'apply':
      return service.apply(call.deltas);
    case 'status':
      return service.status();
    case 'flush':
      return service.flush(call.lifelines);
    case 'close':
      return service.close({ clear: call.clear }).then(() => undefined);
  }
}

try {
  const backend = new NftBackend({ netns, heldSocket });
  const emit = (event: KernelEvent): void => post({ kind: 'event', event });
  const ebpf = new EbpfService({ netns, emit, now: () => performance.now() });
  backend.shareLists(() => ebpf.lists);
  const service = new TenantsService({
    backend,
    ebpf,
    routes: new PolicyRoutes({ open: () => new PolicyRouting(netns), emit, now: () => performance.now() }),
    netns,
    stateDirectory,
    open: (namespace) => new NftBackend({ netns: namespace }),
    emit,
  });
  port.on('message', (call: Call) => {
    answer(service, call).then(
      (value) => {
        post({ kind: 'result', id: call.id, value });
        if (call.kind === 'close') port.close();
      },
      (error: unknown) => post({ kind: 'error', id: call.id, error: plainError(error) }),
    );
  });
  const problem = holdSocket(backend.socket, heldSocket);
  if (problem) post({ kind: 'event', event: { kind: 'not-held', message: problem.message } });
  post({ kind: 'ready' });
} catch (error) {
  post({ kind: 'error', id: undefined, error: plainError(error) });
  port.close();
}
