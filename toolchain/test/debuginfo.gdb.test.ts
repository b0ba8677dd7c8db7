import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { canonicalTypeName } from '../debuginfo/cTypeNames.js';
import { DebugInfo } from '../debuginfo/debugInfo.js';
import type { MachineContext, Type } from '../debuginfo/debugInfo.js';
import { evaluateExpression } from '../debuginfo/expression.js';
import { decodeFloat } from '../debuginfo/floats.js';
import { sizeOf, stripped, typeName } from '../debuginfo/types.js';
import { elementValue, integerOf, isFloat, isStruct, memberValue, readValue } from '../debuginfo/values.js';
import type { Value } from '../debuginfo/values.js';
import { BuildDirectory, buildVariants, lacksTools, readBytes } from './debuginfo/builds.js';
import { machineOfCore } from './debuginfo/coreMachine.js';
import { walkStack } from './debuginfo/stack.js';
import type { Frame } from './debuginfo/stack.js';

type OracleValue = string | OracleValue[] | { [name: string]: OracleValue };

interface OracleVariable {
  readonly argument: boolean;
  readonly type: string;
  readonly value: OracleValue;
}

interface OracleAnswer {
  readonly frames: readonly {
    readonly name: string;
    readonly pc: string;
    readonly line: number;
    readonly registers: Readonly<Record<string, string>>;
    readonly variables: Readonly<Record<string, OracleVariable>>;
  }[];
  readonly layouts: Readonly<
    Record<string, { size: number; fields: [string | null, number, number, number, string][] }>
  >;
  readonly expressions: Readonly<
    Record<string, Readonly<Record<string, { value: OracleValue; type: string }>>>
  >;
}

const DWARF_REGISTERS: Readonly<Record<string, number>> = {
  rbx: 3,
  rbp: 6,
  rsp: 7,
  r12: 12,
  r13: 13,
  r14: 14,
  r15: 15,
};

const TYPES = ['struct node', 'struct outer', 'union number'];

/** Evaluated in these frames by gdb and here; at -O2 some give no value, in both. */
const EXPRESSIONS: Readonly<Record<string, readonly string[]>> = {
  entry: [
    'object.inner.next->name[1]',
    '*object.inner.next',
    'object.inner.c * 2 + 1',
    'object.inner.next->c - 1',
    'object.inner.a + object.inner.next->b',
    '&object.matrix[1][2]',
    'object.matrix[1][2] << 3',
    '(char)(argument + 62)',
    '(unsigned char)-1 == 255',
    '-1 < 1u',
    '(int)(sizeof(struct outer) + sizeof object.text)',
    'object.color == BLUE ? argument : -argument',
    'table[1] >> 4',
    '~table[0]',
    '(long)table[3] / 2',
    '((struct node *)&object)->value',
    '(unsigned long)&object == (unsigned long)&object.inner',
    '&table[3] - &table[1]',
    '*(&counter + 0) % 7',
    'counter && !elsewhere',
    "names[1][0] == 'o' || 0",
    '0x7fffffff + 1u',
    '4000000000 + 1',
    '0xffffffff',
    'object.ratio * 3',
    'object.number.half[1]',
    'object.number.low',
    'chosen',
    'GREEN + FLAG_C',
    '-7 / 2',
    '-7 % 3',
    '1 ? 2 : 3 + 4',
    '5 & 6 | 1 ^ 2',
    '(u8)300',
    '(int)sizeof(u64[3])',
    '*names',
    '&*object.inner.next == object.inner.next',
  ],
  middle: ['outer->inner.value', 'mask + 1', 'color', 'copy.value', 'number.half[0]'],
  leaf: ['count * small', 'node->wide', 'spread', 'sum'],
};

describe('debug information against gdb', function () {
  if (lacksTools('gdb', 'gcc')) {
    return;
  }
  const directory = new BuildDirectory();
  after(() => directory.remove());

  for (const { name, compiler, options } of buildVariants()) {
    describe(name, () => {
      let info: DebugInfo;
      let machine: MachineContext;
      let frames: Frame[];
      let oracle: OracleAnswer;

      before(() => {
        const program = directory.compile(compiler, name, options);
        const core = directory.file(`${name}.core`);
        oracle = askGdb(program, { core, types: TYPES, expressions: EXPRESSIONS });
        info = DebugInfo.load(readBytes(program), program);
        machine = machineOfCore(readBytes(core), readBytes(program));
        frames = walkStack(info, machine);
      });

      it('finds the same frames, lines and caller registers', () => {
        const ours = frames.map((frame) => [frame.name, frame.line]);
        assert.deepEqual(
          ours,
          oracle.frames.map((frame) => [frame.name, frame.line]),
        );
        for (const [index, frame] of frames.entries()) {
          for (const [register, number] of Object.entries(DWARF_REGISTERS)) {
            const expected = oracle.frames[index].registers[register];
            assert.equal(
              frame.machine.register(number)?.toString(),
              expected,
              `${register} in ${frame.name}`,
            );
          }
        }
      });

      it('finds the same variables with the same types and values', () => {
        for (const [index, frame] of frames.entries()) {
          assert.deepEqual(
            variablesOf(frame),
            normalizeVariables(oracle.frames[index].variables),
            frame.name,
          );
        }
      });

      it('lays out types the same', () => {
        for (const typeKey of TYPES) {
          assert.deepEqual(
            layoutOf(info.typeNamed(typeKey)!),
            normalizeLayout(oracle.layouts[typeKey]),
            typeKey,
          );
        }
      });

      it('gives expressions the same values and types', () => {
        for (const [functionName, expressions] of Object.entries(EXPRESSIONS)) {
          const frame = frames.find((candidate) => candidate.name === functionName)!;
          for (const text of expressions) {
            const expected = normalizeResult(oracle.expressions[functionName][text]);
            assert.deepEqual(evaluated(text, frame, info), expected, `${text} in ${functionName}`);
          }
        }
      });
    });
  }
});

function askGdb(program: string, request: object): OracleAnswer {
  const script = join(import.meta.dirname, 'debuginfo', 'gdbOracle.py');
  const output = execFileSync('gdb', ['-batch', '-nx', '-x', script, program], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ORACLE_REQUEST: JSON.stringify(request), DEBUGINFOD_URLS: '' },
  });
  const answer = output.split('\n').find((line) => line.startsWith('ORACLE'));
  assert.ok(answer, `gdb did not answer:\n${output}`);
  return JSON.parse(answer.slice('ORACLE'.length)) as OracleAnswer;
}

function variablesOf(frame: Frame): Record<string, OracleVariable> {
  const result: Record<string, OracleVariable> = {};
  for (const argument of [true, false]) {
    for (const variable of frame.variables[argument ? 'arguments' : 'locals']) {
      const value = readValue(variable.type, variable.locate(frame.address, frame.machine), frame.machine);
      result[variable.name] = {
        argument,
        type: canonicalType(typeName(variable.type)),
        value: oracleValue(value, frame.machine),
      };
    }
  }
  return result;
}

/** A value in the form in which the script for gdb writes it. */
function oracleValue(value: Value, machine: MachineContext): OracleValue {
  const type = stripped(value.type);
  if (value.problem !== undefined) {
    return 'optimizedOut';
  }
  if (isStruct(type)) {
    const members = type.members.filter(({ name }) => name !== undefined);
    const entries = members.map((member) => [
      member.name,
      oracleValue(memberValue(value, member, machine), machine),
    ]);
    return Object.fromEntries(entries) as OracleValue;
  }
  if (type.kind === 'array') {
    const elements = Array.from({ length: type.count ?? 0 }, (_unused, index) => index);
    return elements.map((index) => oracleValue(elementValue(value, type.element, index, machine), machine));
  }
  if (isFloat(type)) {
    return `float ${decodeFloat(value.bytes!)}`;
  }
  return type.kind === 'function' ? 'function' : integerOf(value).toString();
}

function evaluated(text: string, frame: Frame, info: DebugInfo): unknown {
  try {
    const value = evaluateExpression(text, {
      debugInfo: info,
      address: frame.address,
      inlineDepth: frame.inlineDepth,
      machine: frame.machine,
      registers: { read: () => undefined, write: () => false },
    });
    if (value.problem !== undefined) {
      return 'no value';
    }
    return { value: oracleValue(value, frame.machine), type: canonicalType(typeName(value.type)) };
  } catch {
    return 'no value';
  }
}

function normalizeResult(result: { value?: OracleValue; type?: string }): unknown {
  return result.value === undefined || result.value === 'optimizedOut'
    ? 'no value'
    : { value: normalizeValue(result.value), type: canonicalType(result.type!) };
}

function normalizeVariables(
  variables: Readonly<Record<string, OracleVariable>>,
): Record<string, OracleVariable> {
  const entries = Object.entries(variables).map(([name, { argument, type, value }]) => [
    name,
    { argument, type: canonicalType(type), value: normalizeValue(value) },
  ]);
  return Object.fromEntries(entries) as Record<string, OracleVariable>;
}

/** Python writes -2.5 as JavaScript does, but whole numbers with `.0`. */
function normalizeValue(value: OracleValue): OracleValue {
  if (typeof value === 'string') {
    return value.startsWith('float ') ? `float ${Number(value.slice('float '.length))}` : value;
  }
  if (Array.isArray(value)) {
    return value.map(normalizeValue);
  }
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, normalizeValue(member)]));
}

/** gdb and C have different spaces, and gdb writes qualifiers behind the type. */
function canonicalType(name: string): string {
  const words = name.replaceAll(/([*()[\],])/g, ' $1 ').trim();
  const qualified = words.replace(/^(.*?) (const|volatile)$/, '$2 $1');
  const base = /^((?:(?:const|volatile) )*)((?:(?:signed|unsigned|char|short|int|long)\b ?)+)(.*)$/.exec(
    qualified,
  );
  const named = base === null ? qualified : `${base[1]}${canonicalTypeName(base[2])} ${base[3]}`;
  return named.replaceAll(/\s+/g, '');
}

function layoutOf(type: Type): unknown {
  const plain = stripped(type);
  assert.ok(isStruct(plain));
  const fields = plain.members.map((member) => [
    member.name ?? null,
    member.byteOffset * 8 + (member.bitField?.bitOffset ?? 0),
    member.bitField?.bitSize ?? 0,
    sizeOf(member.type) ?? 0,
  ]);
  return { size: plain.byteSize, fields };
}

function normalizeLayout({ size, fields }: OracleAnswer['layouts'][string]): unknown {
  return { size, fields: fields.map((field) => field.slice(0, 4)) };
}
