// The reader of verdict events when it runs from source: a worker thread does not take over the loader of the thread that starts it.
import { register } from 'tsx/esm/api';

register();
await import('./reader-worker.ts');
