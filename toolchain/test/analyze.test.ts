// What the language server reads out of the assembler.
import assert from 'node:assert/strict';
import { analyze } from '../assembler/analyze.js';
import type { Analysis } from '../assembler/analysis.js';

const SOURCE = `#include "ports.h"
#define VALUE 5
	.globl _start
	.macro twice what:vararg
1:	\\what
	\\what
	.endm
_start:
	mov $VALUE, %eax	# comment
1:	twice inc %eax
	jmp 1b
	jnz 1f
	.code32
	inc %eax ; dec %eax
1:
	.if 0
	bad
	.endif
limit = VALUE + 1
	cmp $limit, %eax
`;

function analyzed(source = SOURCE): Analysis {
  const readInclude = (): { fileName: string; bytes: Uint8Array } => ({
    fileName: '/ports.h',
    bytes: new TextEncoder().encode('#define PORT 0xf4\n'),
  });
  return analyze({ fileName: '/a.S', source, bits: 64, readInclude });
}

const places = (list: readonly { file: string; line: number; column: number }[]): string =>
  list.map(({ line, column }) => `${line}:${column}`).join(' ');

describe('assembler: analysis', () => {
  it('statements have addresses and bytes, one for each expansion', () => {
    const analysis = analyzed();
    const shown = analysis.statements
      .filter(({ size }) => size > 0)
      .map(
        ({ line, text, offset, bytes }) => `${line} ${offset} ${Buffer.from(bytes).toString('hex')} ${text}`,
      );
    assert.deepEqual(shown, [
      '9 0 b805000000 mov $5, %eax',
      '10 5 ffc0ffc0 1:	twice inc %eax',
      '10 5 ffc0 1:	inc %eax',
      '10 7 ffc0 inc %eax',
      '11 9 ebfa jmp 1b',
      '12 11 7502 jnz 1f',
      '14 13 40 inc %eax',
      '14 14 48 dec %eax',
      '20 15 83f806 cmp $limit, %eax',
    ]);
  });

  it('the state of lines: mode, macro bodies, branches that are not taken', () => {
    const analysis = analyzed();
    const state = (line: number): string => {
      const { bits, inMacro, isActive } = analysis.stateAt('/a.S', line);
      return `${bits} ${inMacro ?? ''} ${isActive}`;
    };
    assert.equal(state(6), '64 twice true');
    assert.equal(state(14), '32  true');
    assert.equal(state(17), '32  false');
    assert.equal(state(19), '32  true');
  });

  it('references, numeric labels, macro arguments, includes', () => {
    const analysis = analyzed();
    assert.equal(places(analysis.references('VALUE')), '2:9 9:7 19:9');
    assert.equal(places(analysis.references('limit')), '19:1 20:7');
    assert.equal(places(analysis.references('twice')), '4:9 10:4');
    assert.equal(places(analysis.localLabel('/a.S', 12, 6)), '15:1 12:6');
    assert.equal(places(analysis.localLabel('/a.S', 10, 1)), '10:1 11:6');
    assert.equal(places(analysis.macroArgument('/a.S', 6, 3)), '4:15 5:5 6:3');
    assert.equal(analysis.includes[0].target, '/ports.h');
    assert.equal(analysis.symbols.get('_start')?.definition?.line, 8);
    assert.equal(analysis.macros.get('twice')?.endLine, 7);
  });
});
