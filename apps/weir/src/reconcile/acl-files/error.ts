/** Why an ACL file is not as it is wanted. What was there before is there still. */
export class AclFileError extends Error {
  readonly code: 'acl-not-writable' | 'acl-foreign-file';

  constructor(code: AclFileError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AclFileError';
    this.code = code;
  }
}
