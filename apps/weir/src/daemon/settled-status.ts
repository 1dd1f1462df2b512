import type { KernelPort, KernelStatus } from '../model/kernel-port.ts';

/** Programs wait a second for members at most; it is looked so often, and so many times. */
const LOOK_MS = 20;
const MOST_LOOKS = 100;

/** The status when programs do not wait for members any more: what the kernel makes of them is known then. */
export async function settledStatus(kernel: KernelPort): Promise<KernelStatus> {
  let status = await kernel.status();
  for (let looks = 0; status.ebpf?.waits === true && looks < MOST_LOOKS; looks++) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    status = await kernel.status();
  }
  return status;
}
