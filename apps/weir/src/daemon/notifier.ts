import { notifyServiceManager, SystemError } from '@weir/sys';

/** What the service manager is told (sd_notify(3)). Without one every call does nothing. */
export class Notifier {
  readonly #send: (state: string) => void;
  readonly #watchdogMs: number;
  #timer: NodeJS.Timeout | undefined;

  /** `watchdogUsec` is WATCHDOG_USEC where it is meant for this process. */
  constructor(send: (state: string) => void, watchdogUsec: number | undefined) {
    this.#send = send;
    this.#watchdogMs = watchdogUsec === undefined ? 0 : watchdogUsec / 1000;
  }

  /** From the process's environment. Failures to send are given to `onError` and change nothing else. */
  static fromEnvironment(env: { readonly [name: string]: string | undefined }, onError: (error: Error) => void): Notifier {
    const address = env['NOTIFY_SOCKET'];
    const usec = Number(env['WATCHDOG_USEC']);
    const ours = env['WATCHDOG_PID'] === undefined || env['WATCHDOG_PID'] === String(process.pid);
    const send = (state: string): void => {
      try {
        notifyServiceManager(state, address);
      } catch (error) {
        if (!(error instanceof SystemError || error instanceof RangeError)) throw error;
        onError(error);
      }
    };
    return new Notifier(address ? send : () => undefined, address && ours && usec > 0 ? usec : undefined);
  }

  ready(status: string): void {
    this.#send(`READY=1\nSTATUS=${oneLine(status)}`);
    if (this.#watchdogMs > 0 && !this.#timer) {
      // From the main loop: a loop that hangs is a daemon that hangs.
      this.#timer = setInterval(() => this.#send('WATCHDOG=1'), this.#watchdogMs / 3);
      this.#timer.unref();
    }
  }

  reloading(): void {
    this.#send(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
  }

  status(text: string): void {
    this.#send(`STATUS=${oneLine(text)}`);
  }

  stopping(status: string): void {
    this.#send(`STOPPING=1\nSTATUS=${oneLine(status)}`);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ');
}
