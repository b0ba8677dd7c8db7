import assert from 'node:assert/strict';
import { SerialConsole } from '../output/console.js';

describe('the serial console', () => {
  it('sends whole lines, what is left at a stop, and never half a character', () => {
    const sent: string[] = [];
    const console1 = new SerialConsole(({ category, output }) => sent.push(`${category}: ${output}`));
    const write = (port: number, bytes: Iterable<number>): void => {
      for (const byte of bytes) console1.write(port, byte);
    };
    write(0, Buffer.from('one\ntw'));
    write(1, Buffer.from('kvm: log\n'));
    assert.deepEqual(sent.splice(0), ['stdout: one\n', 'console: kvm: log\n']);
    const euro = Buffer.from('€');
    write(0, euro.subarray(0, 1));
    console1.flush();
    assert.deepEqual(sent.splice(0), ['stdout: tw']);
    write(0, euro.subarray(1));
    console1.flush();
    assert.deepEqual(sent.splice(0), ['stdout: €']);
    write(0, euro.subarray(0, 1));
    console1.end();
    assert.deepEqual(sent.splice(0), ['stdout: \ufffd']);
  });
});
