/** `hyperstep exits`: count and virtual time in the host of each VM-exit reason. */
import { ExitCounts } from '../debug-adapter/vmexits/counts.js';
import type { Report } from './report.js';

export const countExits: Report = (launch, print, json) => {
  const counts = new ExitCounts();
  launch.machine.observers.onWorldSwitch = (event) => {
    counts.observe(event);
    return false;
  };
  return {
    finish: () => {
      const rows = counts.rows();
      if (json) {
        for (const { reason, name, count, virtualNs } of rows) {
          print(JSON.stringify({ reason, name, count, virtualNs }));
        }
        return;
      }
      const width = Math.max(...rows.map(({ name }) => name.length), 'exit reason'.length);
      const line = (reason: string, name: string, count: string, virtualNs: string): void =>
        print(
          `${reason.padStart(6)}  ${name.padEnd(width)}  ${count.padStart(10)}  ${virtualNs.padStart(18)}`,
        );
      line('number', 'exit reason', 'count', 'ns in the host');
      for (const { reason, name, count, virtualNs } of rows) {
        line(`${reason}`, name, `${count}`, `${virtualNs}`);
      }
    },
  };
};
