import type { Config } from '../../model/config.ts';
import type { KernelEvent, KernelPort } from '../../model/kernel-port.ts';
import { Scheduler, type SchedulerOptions } from '../scheduler.ts';
import { AclPort, type MemberSource } from './acl-port.ts';

type OpenKernel = (config: Config, events: (event: KernelEvent) => void) => Promise<KernelPort>;

/** Opens a kernel side that keeps ACL files beside, and schedules with the members that go into them. */
export function withAclFiles(open: OpenKernel): {
  readonly openKernel: OpenKernel;
  readonly schedule: (parts: SchedulerOptions & { readonly source: MemberSource }) => Scheduler;
} {
  let port: AclPort | undefined;
  return {
    openKernel: async (config, events) => {
      port = new AclPort(await open(config, events), events);
      return port;
    },
    schedule: (parts) => {
      port?.read(parts.source);
      return new Scheduler(parts);
    },
  };
}
