// Measures how many different instructions of binaries our assembler encodes as GNU as does:
//   npx tsx toolchain/test/gnu/roundTrip.ts [--intel] [--32] [--all] FILE…
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ATT, INTEL, compareInstructions, uniqueInstructions } from './instructions.js';

const args = process.argv.slice(2);
const syntax = args.includes('--intel') ? INTEL : ATT;
const bits = args.includes('--32') ? 32 : 64;
const shown = args.includes('--all') ? Infinity : 20;
const folder = mkdtempSync(path.join(tmpdir(), 'hyperstep-roundtrip-'));
try {
  for (const file of args.filter((argument) => !argument.startsWith('--'))) {
    const start = performance.now();
    const { compared, differences } = compareInstructions(
      uniqueInstructions(file, syntax),
      bits,
      folder,
      syntax,
    );
    const same = compared - differences.length;
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    console.log(
      `${file}: ${same} of ${compared} the same, ${((100 * same) / compared).toFixed(3)} %, ${seconds} s`,
    );
    for (const difference of differences.slice(0, shown)) console.log(`  ${difference}`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
