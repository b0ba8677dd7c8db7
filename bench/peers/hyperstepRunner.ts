/** Child process of the benchmark: boots a program, prints its serial line, and behind each line the position. */
import { readFileSync } from 'node:fs';
import { createMachine } from '../../emulator/machine/machine.js';

/** Instructions between two looks at what the machine answered. */
const SLICE = 100_000_000;
const NEWLINE = 10;

interface Plan {
  readonly image: string;
  readonly memorySize: number;
  readonly commandLine: string;
  readonly modules: readonly string[];
}

const plan = JSON.parse(readFileSync(process.argv[2], 'utf8')) as Plan;
const machine = createMachine({
  memorySize: plan.memorySize,
  image: readFileSync(plan.image),
  imageName: plan.image,
  commandLine: plan.commandLine,
  compiler: 'on',
  modules: plan.modules.map((name) => ({ name, bytes: readFileSync(name) })),
});

let line = '';
machine.observers.onSerialOutput = (port, byte) => {
  if (port !== 0) return;
  if (byte !== NEWLINE) {
    line += String.fromCharCode(byte);
    return;
  }
  process.stdout.write(`${line} ${machine.position}\n`);
  line = '';
};

for (;;) {
  const stop = machine.run(SLICE);
  if (stop.kind === 'budget') continue;
  console.error(stop);
  break;
}
