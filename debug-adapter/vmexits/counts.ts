/** Count and virtual time in the host of each VM-exit reason: a pure function of world switches. */
import type { WorldSwitch } from '../../emulator/machine/worldSwitch.js';
import { exitReason } from '../../emulator/vmx/exitReasons.js';

export interface ExitCount {
  readonly reason: number;
  /** `EXIT_REASON_VMCALL`. */
  readonly name: string;
  readonly count: number;
  /** From the exit to the next entry of the same virtual processor. */
  readonly virtualNs: number;
}

export class ExitCounts {
  private readonly counts = new Map<number, { count: number; virtualNs: number }>();
  /** The exit that each VMCS has not been entered again since. */
  private readonly pending = new Map<number, { reason: number; sinceNs: number }>();
  total = 0;
  /** VM entries, and the virtual time in guests: from each entry to the next exit of the same virtual processor. */
  readonly entries = { count: 0, virtualNs: 0 };
  private readonly entered = new Map<number, number>();

  observe(event: WorldSwitch): void {
    if (event.exit) {
      const { reason } = event.exit;
      const row = this.rowOf(reason);
      row.count++;
      this.total++;
      this.pending.set(event.vmcs, { reason, sinceNs: event.virtualNs });
      const since = this.entered.get(event.vmcs);
      if (since !== undefined) this.entries.virtualNs += event.virtualNs - since;
      this.entered.delete(event.vmcs);
      return;
    }
    this.entries.count++;
    this.entered.set(event.vmcs, event.virtualNs);
    const exit = this.pending.get(event.vmcs);
    if (!exit) return;
    this.rowOf(exit.reason).virtualNs += event.virtualNs - exit.sinceNs;
    this.pending.delete(event.vmcs);
  }

  /** Reasons that occurred, by number. */
  rows(): ExitCount[] {
    return [...this.counts]
      .sort(([a], [b]) => a - b)
      .map(([reason, { count, virtualNs }]) => ({
        reason,
        name: exitReason(reason)?.constant ?? `exit reason ${reason}`,
        count,
        virtualNs,
      }));
  }

  private rowOf(reason: number): { count: number; virtualNs: number } {
    let row = this.counts.get(reason);
    if (!row) this.counts.set(reason, (row = { count: 0, virtualNs: 0 }));
    return row;
  }
}
