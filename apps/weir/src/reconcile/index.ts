/** The kernel side: a port to the worker that keeps the kernel as wanted, the scheduler that feeds it, and what is loaded at boot. */
export { withAclFiles } from './acl-files/index.ts';
export { EbpfService } from './ebpf-service.ts';
export { takeHeldSocket } from './held-socket.ts';
export { clearPolicyRoutes, poolTables } from './policy-routes/index.ts';
export { type KernelPortOptions, openKernelPort } from './port.ts';
export { type Complete, type Renew, type RestoreReport, restoreImage, savedMembers } from './restore.ts';
export { clearFrom, restoreTenants, type TenantRestore } from './restore-tenants.ts';
export { type DeltaSource, Scheduler, type SchedulerOptions } from './scheduler.ts';
export { holdImages, listTenantDirectories } from './tenant-directories.ts';
