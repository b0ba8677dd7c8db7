/** What the fast core is to reach: how many times a peer's speed, by row. */

const INTEGER_ROWS = ['alu', 'sieve', 'calls', 'mix'];
/** Debian builds Bochs with its debugger and without optimisation: about four times slower than Bochs can be. */
const UNOPTIMISED = 4;

/** The least ratio that is good enough; undefined: none is asked. */
export function goal(row: string, peer: string, optimisedBochs: boolean): number | undefined {
  switch (peer) {
    case 'bochs': {
      const optimised = INTEGER_ROWS.includes(row) ? 5 : row === 'big' ? 2 : 1;
      return optimisedBochs ? optimised : optimised * UNOPTIMISED;
    }
    case 'qemu':
      return row === 'big' || (row !== 'alu' && INTEGER_ROWS.includes(row)) ? 1 : undefined;
    default:
      return 1;
  }
}
