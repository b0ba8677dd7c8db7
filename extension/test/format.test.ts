import { fileName, formatDuration, formatValue } from '../format.js';
import type { NumberFormat } from '../format.js';
import { check } from './check.js';

describe('numbers in views', () => {
  const value = check('value', ([text, format]: [string, NumberFormat]) => formatValue(text, format));
  value(['0x00000000000055aa', 'hex'], '0x55aa');
  value(['0x55aa', 'decimal'], '21930');
  value(['0xfffffffffffffc18', 'decimal'], '-1000');
  value(['0xffffffffffffffff', 'hex'], '0xffffffffffffffff');
  value(['-1000', 'hex'], '0xfffffffffffffc18');
  value(['CF ZF', 'decimal'], 'CF ZF');

  const duration = check('duration', formatDuration);
  duration(0, '0 ns');
  duration(820, '820 ns');
  duration(999.7, '1.00 µs');
  duration(1_240, '1.24 µs');
  duration(99_960, '100 µs');
  duration(999_999, '1.00 ms');
  duration(10e9, '10.0 s');
  duration(3_600e9, '3,600 s');

  const name = check('file name', fileName);
  name('/guests/hello.S', 'hello.S');
  name('C:\\guests\\hello.S', 'hello.S');
});
