/** What can go wrong with the lab itself. `code` is stable, the message is for people. */
export class LabError extends Error {
  override readonly name = 'LabError';
  readonly code: 'command-failed' | 'command-timeout' | 'wait-timeout' | 'process-exited' | 'agent' | 'missing' | 'closed' | 'unsupported';

  constructor(code: LabError['code'], message: string) {
    super(message);
    this.code = code;
  }
}
