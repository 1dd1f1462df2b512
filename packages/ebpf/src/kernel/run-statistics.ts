import { closeFd } from '@weir/sys';
import { Attribute, COMMAND } from './attribute.ts';
import { attempt } from './bpf-error.ts';

/** BPF_STATS_RUN_TIME */
const RUN_TIME = 0;

/** While one is open, the kernel counts the runs of every program and their time; that costs some nanoseconds a run. Needs CAP_SYS_ADMIN. BpfError. */
export class RunStatistics {
  readonly #fd: number;
  #closed = false;

  constructor() {
    this.#fd = attempt({ operation: 'enable', object: 'run statistics', needs: ['CAP_SYS_ADMIN'] }, () =>
      new Attribute().u32(0, RUN_TIME).call(COMMAND.enableStats),
    );
  }

  /** Calling it again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeFd(this.#fd);
  }
}
