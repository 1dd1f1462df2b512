import { BpfError } from '@weir/ebpf/kernel';
import { EbpfEngine } from '../../apps/weir/src/kernel/ebpf/index.ts';

/** Opens a pin directory and prints what is in the way. The directory is the argument; nothing else of the system is asked. */
try {
  EbpfEngine.open({
    directory: process.argv[2] ?? '',
    netns: undefined,
    features: { has: () => true, features: [] } as never,
    now: () => 0,
  }).close();
  console.log('opened');
} catch (error) {
  console.log(error instanceof BpfError ? `BpfError ${error.reason} ${error.message}` : String(error));
}
