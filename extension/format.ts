/** How numbers look in the views. Free of `vscode`, like everything that makes rows. */

export type NumberFormat = 'hex' | 'decimal';

/**
 * A register-sized value in the chosen notation. Decimal is signed, as a hypercall's result is (`-1000` is
 * `-KVM_ENOSYS`). What is not a number comes back as it is.
 */
export function formatValue(value: string, format: NumberFormat): string {
  if (!/^(0x[0-9a-f]+|-?\d+)$/i.test(value)) return value;
  const number = BigInt(value);
  if (format === 'decimal') return BigInt.asIntN(64, number).toString();
  return `0x${BigInt.asUintN(64, number).toString(16)}`;
}

/** A span of virtual time with three significant digits: `820 ns`, `1.24 µs`, `10.0 s`. */
export function formatDuration(nanoseconds: number): string {
  const units: [string, number][] = [
    ['s', 1e9],
    ['ms', 1e6],
    ['µs', 1e3],
  ];
  // 999.6 ns already reads as 1.00 µs: the unit is chosen after rounding to three digits.
  const rounded = Number(nanoseconds.toPrecision(3));
  for (const [unit, size] of units) {
    if (rounded >= size) return `${threeDigits(nanoseconds / size)} ${unit}`;
  }
  return `${Math.round(nanoseconds)} ns`;
}

function threeDigits(value: number): string {
  if (value >= 99.95) return formatCount(Math.round(value));
  return value.toFixed(value >= 9.995 ? 1 : 2);
}

/** `1234567` as `1,234,567`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** The last part of a path of either kind of operating system. */
export function fileName(file: string): string {
  return file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1);
}
