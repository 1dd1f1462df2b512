/** ACL files of a switch: written whole, committed, tried again. */
export { type AclPlace, aclHeader, markCommitted, writeAclFile } from './acl-directory.ts';
export { AclTarget } from './acl-target.ts';
export { AclFileError } from './error.ts';
export { runCommand } from './run-command.ts';
export { withAclFiles } from './with-acl-files.ts';
