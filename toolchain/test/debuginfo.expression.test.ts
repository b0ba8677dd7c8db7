import assert from 'node:assert/strict';
import { DebugInfo } from '../debuginfo/debugInfo.js';
import type { MachineContext } from '../debuginfo/debugInfo.js';
import { ExpressionError, evaluateExpression } from '../debuginfo/expression.js';
import type { EvaluationContext } from '../debuginfo/expression.js';
import { formatValue } from '../debuginfo/format.js';
import { typeName } from '../debuginfo/types.js';

/** Expressions without a program: literals, registers and memory, in a machine of 4 KiB at 0x1000 that counts up. */
function context(
  bits: 32 | 64,
): EvaluationContext & { memory: Uint8Array; registers: { values: Map<string, bigint> } } {
  const memory = Uint8Array.from({ length: 4096 }, (_unused, index) => index & 0xff);
  const header = Uint8Array.from([0x7f, 0x45, 0x4c, 0x46, bits / 32, 1, 1, ...new Array<number>(57).fill(0)]);
  const registerValues = new Map([
    ['rax', 0xffff_ffff_ffff_fc18n],
    ['rdi', 0x1010n],
    ['al', 0x18n],
  ]);
  const inside = (address: bigint, length: number): boolean =>
    address >= 0x1000n && address + BigInt(length) <= 0x2000n;
  const machine: MachineContext = {
    bits,
    cfa: undefined,
    register: () => undefined,
    readMemory: (address, length) =>
      inside(address, length)
        ? memory.slice(Number(address) - 0x1000, Number(address) - 0x1000 + length)
        : undefined,
  };
  return {
    memory,
    debugInfo: DebugInfo.load(header, 'empty'),
    address: 0x1000n,
    machine,
    registers: {
      values: registerValues,
      read: (name: string) => {
        const value = registerValues.get(name);
        return value === undefined ? undefined : { value, bits: name === 'al' ? 8 : 64 };
      },
      write: (name: string, value: bigint) => name !== 'al' && registerValues.set(name, value) !== undefined,
    } as EvaluationContext['registers'] & { values: Map<string, bigint> },
    writer: {
      writeMemory: (address, bytes) => {
        if (!inside(address, bytes.length)) {
          return false;
        }
        memory.set(bytes, Number(address) - 0x1000);
        return true;
      },
      writeRegister: () => false,
    },
  };
}

function check(text: string, expected: string, bits: 32 | 64 = 64): void {
  const where = context(bits);
  const value = evaluateExpression(text, where);
  assert.equal(`${typeName(value.type)} ${formatValue(value, where.machine)}`, expected, text);
}

function refuses(text: string, message: string): void {
  assert.throws(() => evaluateExpression(text, context(64)), new ExpressionError(message), text);
}

describe('C expressions', () => {
  it('give literals the types of C', () => {
    check('1', 'int 1');
    check('2147483648', 'long 2147483648');
    check('2147483648', 'long long 2147483648', 32);
    check('0x80000000', 'unsigned int 2147483648');
    check('0x8000000000000000', 'unsigned long 9223372036854775808');
    check('1ull', 'unsigned long long 1');
    check('017 + 0b11', 'int 18');
    check("'A'", "char 65 'A'");
    check("'\\n' + '\\x41' + '\\101'", 'int 140');
    check('1.5 + 1', 'double 2.5');
  });

  it('convert and wrap as C does', () => {
    check('-1 > 0u', 'int 1');
    check('-1L > 0u', 'int 0');
    check('-1L > 0u', 'int 1', 32);
    check('(unsigned char)-1 + 1', 'int 256');
    check('0xffffffff + 1', 'unsigned int 0');
    check('2147483647 + 1', 'int -2147483648');
    check('(signed char)200', "signed char -56 '\\310'");
    check('(_Bool)256', '_Bool true');
    check('(long)-1.9', 'long -1');
    check('~0ul >> 60', 'unsigned long 15');
    check('-16 >> 2', 'int -4');
    check('1 << 70', 'int 0');
    check('sizeof(long) * 10 + sizeof(char *)', 'unsigned long 44', 32);
  });

  it('bind operators as C does', () => {
    check('1 + 2 * 3 - 4 % 3', 'int 6');
    check('1 | 2 ^ 3 & 4 == 4', 'int 3');
    check('!0 && 2 || 1 / 0', 'int 1');
    check('0 ? 1 / 0 : 1 ? 2 : 3', 'int 2');
    check('-~!5', 'int 1');
    check('10 - 3 - 2', 'int 5');
    check('1 < 2 == 1', 'int 1');
  });

  it('read registers and memory', () => {
    check('(long)$rax', 'long -1000');
    check('$al', "unsigned char 24 '\\030'");
    check('*(unsigned int *)$rdi', 'unsigned int 319951120');
    check('((unsigned char *)$rdi)[2]', "unsigned char 18 '\\022'");
    check('*$rdi == *(unsigned long *)0x1010', 'int 1');
    check('(short *)$rdi + 2', 'short * 0x1014');
    check('(int *)0x1010 - (int *)0x1000', 'long 4');
    check('&((int *)0x1000)[3]', 'int * 0x100c');
    check('*(unsigned char (*)[4])0x1010', 'unsigned char[4] "\\020\\021\\022\\023"');
    check('(int (*)(char *, void (*)(void)))0x10', 'int (*)(char *, void (*)(void)) 0x10');
    check('*(int *)0x10', 'int <cannot read memory at 0x10>');
  });

  it('assign to memory and registers', () => {
    const where = context(64);
    const assign = (text: string): string => formatValue(evaluateExpression(text, where), where.machine);
    assert.equal(assign('*(unsigned short *)0x1004 = 0x12345'), '9029');
    assert.deepEqual([...where.memory.subarray(3, 7)], [3, 0x45, 0x23, 6]);
    assert.equal(assign('$rdi += 8'), '4120');
    assert.equal(where.registers.values.get('rdi'), 0x1018n);
    assert.equal(assign('*(int *)0x1000 = $rdi = -1'), '-1');
    assert.equal(where.registers.values.get('rdi'), -1n);
    assert.throws(() => assign('*(int *)0x3000 = 1'), new ExpressionError('cannot write memory at 0x3000'));
    assert.throws(() => assign('$al = 1'), new ExpressionError('$al cannot be changed'));
    assert.throws(() => assign('5 = 1'), /left side of "=" is not in memory/);
  });

  it('say what is wrong', () => {
    refuses('', 'an expression is expected');
    refuses('foo + 1', 'no symbol "foo" in this frame');
    refuses('$xyz', 'no register "$xyz"');
    refuses('1 +', 'the expression ends too early');
    refuses('(1 + 2', '")" is expected before the end');
    refuses('1 2', 'unexpected "2"');
    refuses('"text"', 'unexpected string literal');
    refuses('09', '"09" is not an octal number');
    refuses('1 / 0', 'division by zero');
    refuses('*(int *)0x10 + 1', 'cannot read memory at 0x10');
    refuses('*(void *)0x1000', 'a void pointer points to no value; cast it');
    refuses('(struct kvm_vcpu *)1', 'no type "struct kvm_vcpu"');
    refuses('f(1)', 'calling a function of the program is not supported');
    refuses('(5).x', 'int has no members');
    refuses('&5', 'the operand of "&" is not in memory');
    refuses('1.5 % 2', '"%" cannot be applied to double');
    refuses('(int *)1 * 2', '"*" cannot be applied to int * and int');
    refuses('('.repeat(500), 'the expression is nested too deeply');
  });
});
