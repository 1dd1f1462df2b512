/** The routing of redirected packets, in the kernel worker. */
export { clearPolicyRoutes, PolicyRoutes, poolTables } from './service.ts';
