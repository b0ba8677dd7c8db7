import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { ExitReason } from '../../emulator/vmx/exitReasons.js';
import type { Debuggee } from '../debuggee/debuggee.js';
import { codeSpaceOfWorld } from '../disassembly/codeSpace.js';
import type { CodeSpace } from '../disassembly/codeSpace.js';
import { CodeGenerations } from '../disassembly/generations.js';
import { rowsAround } from '../disassembly/rows.js';
import { createListing } from '../sources/listing.js';
import { installFolder, launchDebuggee, runToSwitch } from './disassemblyDebuggee.js';

const hex = (address: bigint): string => address.toString(16);

describe('disassembly', () => {
  let debuggee: Debuggee;
  let guest: CodeSpace;
  let host: CodeSpace;

  before(async () => {
    debuggee = await launchDebuggee({ program: `${installFolder}/examples/hello/hello.S` });
    const { vmcs } = runToSwitch(debuggee, ({ exit }) => exit?.reason === ExitReason.VMCALL);
    guest = codeSpaceOfWorld(debuggee, 'guest', vmcs);
    host = codeSpaceOfWorld(debuggee, 'root');
  });

  it('finds the instructions of the host where objdump does, backwards too', function () {
    const starts = objdumpAddresses(debuggee.launch.host!.path);
    const window = 40;
    for (let at = window; at + window < starts.length; at += 97) {
      const rows = rowsAround(host, starts[at], -window, 2 * window);
      assert.deepEqual(
        rows.map(({ address }) => hex(address)),
        starts.slice(at - window, at + window).map(hex),
        `around ${hex(starts[at])}`,
      );
    }
  });

  it('names the targets of branches and of RIP-relative operands', () => {
    const start = symbol('_start');
    const [lea, call] = rowsAround(guest, start, 0, 2);
    assert.match(lea.text, /^lea 0x[0-9a-f]+\(%rip\), %rsi # 0x[0-9a-f]+ <greeting>$/);
    assert.match(call.text, /^call 0x[0-9a-f]+ <print>$/);
  });

  const counts: [first: number, count: number][] = [
    [0, 5],
    [-5, 3],
    [-300, 400],
    [7, 4],
    [-1, 0],
  ];
  for (const [first, count] of counts) {
    it(`answers ${count} rows from ${first} on, adjoining`, () => {
      const rows = rowsAround(guest, symbol('_start'), first, count);
      assert.equal(rows.length, count);
      rows.slice(1).forEach((row, index) => {
        const before = rows[index];
        assert.equal(row.address, before.address + BigInt(before.bytes.length || 1));
      });
    });
  }

  it('shows unmapped memory as one row an address, also around address 0', () => {
    const nowhere = 0x7000_0000_0000n;
    const rows = rowsAround(guest, nowhere, -2, 4);
    assert.deepEqual(
      rows.map(({ address, text, isValid }) => [address - nowhere, text, isValid]),
      [-2n, -1n, 0n, 1n].map((offset) => [offset, '??', false]),
    );
    assert.deepEqual(
      rowsAround(guest, 0n, -2, 2).map(({ address }) => address),
      [-2n, -1n],
    );
  });

  it('notices code that changed after it was shown', () => {
    const generations = new CodeGenerations();
    const start = symbol('_start');
    const rows = rowsAround(guest, start, 0, 4);
    generations.note(guest, rows);
    assert.equal(generations.current(guest), 0);
    const last = rows[3];
    const translation = debuggee.guestTranslation([...debuggee.lastExits.keys()][0]);
    debuggee.machine.writeLinear(last.address, Uint8Array.of(0x90), translation);
    assert.equal(generations.current(guest), 1);
    assert.equal(generations.current(guest), 1);
    debuggee.machine.writeLinear(last.address, last.bytes, translation);
  });

  it('lists a whole function with the line of every instruction', () => {
    const pc = symbol('_start');
    const { name, text, lines } = createListing(guest, { pc, lookup: pc }, '/nowhere/hello.S');
    assert.equal(name, '_start (disassembly)');
    const listed = text.split('\n');
    assert.match(listed[0], /\/nowhere\/hello\.S is not on this machine/);
    assert.equal(listed[lines.get(pc)! - 2], '_start:');
    for (const [address, line] of lines) assert.ok(listed[line - 1].includes(`0x${hex(address)} `));
    assert.ok(listed.some((line) => /\bvmcall$/.test(line)));
  });

  function symbol(name: string): bigint {
    return debuggee.launch.guest.debugInfo.symbolNamed(name)!.address;
  }
});

/** Start addresses of all instructions in .text. */
function objdumpAddresses(file: string): bigint[] {
  const text = execFileSync('objdump', ['-d', '--no-show-raw-insn', '-j', '.text', file], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  return [...text.matchAll(/^ *([0-9a-f]+):\t/gm)].map(([, address]) => BigInt(`0x${address}`));
}
