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
      if (!json) print(['reason', 'name', 'count', 'virtual ns in the host'].join('\t'));
      for (const { reason, name, count, virtualNs } of counts.rows()) {
        print(
          json
            ? JSON.stringify({ reason, name, count, virtualNs })
            : [reason, name, count, virtualNs].join('\t'),
        );
      }
    },
  };
};
