/** Random cases of SSE and SSE2, made from the rows of the instruction table: operands come from the window and go back there. */
import type { OpcodePattern } from '../../isa/opcodeMap.js';
import { opcodeMap } from '../../isa/opcodeMap.js';
import type { GeneratedCase } from './generator.js';
import { WINDOW_ADDRESS, WINDOW_SIZE } from './nativeProbe.js';
import type { Random } from './random.js';

/** Does this row work on XMM registers? */
export const isVectorPattern = ({ row }: OpcodePattern): boolean =>
  row.operands.some((form) => /^[VUW]./.test(form));

const patterns = opcodeMap.flat().filter(isVectorPattern);
const [RAX, RDI, XMM1, XMM2, XMM9] = [0, 7, 1, 2, 9];
/** Offsets in the window of the first and second operand before, and of both after. */
const [FIRST, SECOND, FIRST_AFTER, SECOND_AFTER] = [0, 16, 32, 48];

/** MOVDQU between an XMM register and [RDI + offset]. */
const transfer = (load: boolean, register: number, offset: number): number[] => [
  0xf3,
  ...(register >= 8 ? [0x44] : []),
  0x0f,
  load ? 0x6f : 0x7f,
  0x40 | ((register & 7) << 3) | RDI,
  offset,
];

/** Bytes of mandatory prefixes, REX, opcode, ModRM and immediate. */
function encode(pattern: OpcodePattern, random: Random): { code: number[]; second: number } {
  const { row, prefix, opcode, extension, memory } = pattern;
  const { operands } = row;
  const wide = pattern.rexW ?? (operands.some((form) => /^[EG]y/.test(form)) && random.oneIn(2));
  const useMemory = memory ?? random.oneIn(2);
  const second = random.oneIn(4) ? XMM9 : XMM2;
  const memoryFirst = /^[MWE]/.test(operands[0]);
  // ModRM.reg names the operand of form V or G, ModRM.rm the other one.
  const regIsGeneral = operands.some((form) => form.startsWith('G'));
  const reg = extension >= 0 ? extension : regIsGeneral ? RAX : XMM1;
  const rmIsGeneral = operands.some((form) => form.startsWith('E'));
  const rmVector = extension >= 0 ? XMM1 : second;
  const rm = useMemory ? RDI : rmIsGeneral ? RAX : rmVector;
  const rex = (wide ? 8 : 0) | (!useMemory && rm >= 8 ? 1 : 0);
  const offset = (memoryFirst ? SECOND_AFTER + 16 : SECOND) + (random.oneIn(16) ? 4 : 0);
  const code = [
    ...(typeof prefix === 'number' ? [prefix] : []),
    ...(rex > 0 ? [0x40 | rex] : []),
    0x0f,
    opcode,
    useMemory ? 0x40 | (reg << 3) | RDI : 0xc0 | (reg << 3) | (rm & 7),
    ...(useMemory ? [offset] : []),
    ...(operands.includes('Ib') ? [random.oneIn(2) ? random.below(20) : random.below(256)] : []),
  ];
  return { code, second };
}

/** One random case. */
export function generateVector(random: Random): GeneratedCase {
  const pattern = random.pick(patterns);
  const { code, second } = encode(pattern, random);
  const registers = BigUint64Array.from({ length: 16 }, () => random.operand());
  registers[RDI] = BigInt(WINDOW_ADDRESS);
  const window = Uint8Array.from({ length: WINDOW_SIZE }, () =>
    random.oneIn(4) ? random.pick([0, 1, 0x7f, 0x80, 0xff]) : random.below(256),
  );
  // Half of the shift counts are small.
  if (random.oneIn(2)) window.fill(0, SECOND + 1, SECOND + 8);
  return {
    code: Uint8Array.from([
      ...transfer(true, XMM1, FIRST),
      ...transfer(true, second, SECOND),
      ...code,
      ...transfer(false, XMM1, FIRST_AFTER),
      ...transfer(false, second, SECOND_AFTER),
    ]),
    registers,
    flags: 0x202n,
    window,
    definedFlags: 0x8d5,
    name: pattern.row.mnemonic,
  };
}
