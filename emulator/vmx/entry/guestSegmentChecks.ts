/** Checks on guest segment registers, SDM 3C 27.3.1.2. */
import { Cr0, isCanonical, Rflags } from '../../cpu/registerBits.js';
import { Secondary } from '../controls.js';
import { Field } from '../fields.js';
import {
  ACCESS_RIGHTS_RESERVED_HIGH,
  ACCESS_RIGHTS_RESERVED_LOW,
  AccessRights,
  granularityFits,
  isUsable,
  segmentDpl,
  segmentType,
  SegmentType,
} from '../segmentFormat.js';
import type { SegmentFields } from '../segmentFields.js';
import { guestSegment } from '../segmentFields.js';
import type { EntryRule, EntryView, Violation } from './rules.js';
import { hex, mustHold } from './rules.js';

const SECTION = '27.3.1.2';

const { cs, ss, ds, es, fs, gs, ldtr, tr } = guestSegment;
const codeAndData = [cs, ss, ds, es, fs, gs];
const data = [ds, es, fs, gs];

const isVirtual8086 = (entry: EntryView): boolean => (entry.value(Field.guestRflags) & Rflags.VM) !== 0n;
const isUnrestricted = (entry: EntryView): boolean => (entry.secondary & Secondary.unrestrictedGuest) !== 0;
const usable = (entry: EntryView, register: SegmentFields): boolean =>
  isUsable(entry.number(register.rights));

const rule = (
  register: SegmentFields,
  id: string,
  wording: string,
  check: (entry: EntryView) => Violation | undefined,
): EntryRule => ({ id: `guest.${register.name}.${id}`, section: SECTION, wording, check });

// -------------------------------------------------------------- selectors

const selectorRules: readonly EntryRule[] = [
  rule(tr, 'ti', 'TR: the TI flag of the selector must be 0.', (entry) =>
    mustHold((entry.number(tr.selector) & 4) === 0, 'TI clear', entry.number(tr.selector)),
  ),
  rule(ldtr, 'ti', 'LDTR: if usable, the TI flag of the selector must be 0.', (entry) =>
    mustHold(
      !usable(entry, ldtr) || (entry.number(ldtr.selector) & 4) === 0,
      'TI clear',
      entry.number(ldtr.selector),
    ),
  ),
  rule(
    ss,
    'rpl',
    'SS: if the guest is not virtual-8086 and "unrestricted guest" is 0, the RPL must equal the RPL of CS.',
    (entry) => {
      if (isVirtual8086(entry) || isUnrestricted(entry)) return undefined;
      const expected = entry.number(cs.selector) & 3;
      const found = entry.number(ss.selector) & 3;
      return mustHold(
        found === expected,
        () => `RPL ${expected}`,
        () => `RPL ${found}`,
      );
    },
  ),
];

// -------------------------------------------------------------- base addresses

const virtual8086Base = (register: SegmentFields): EntryRule =>
  rule(
    register,
    'base.virtual8086',
    `${register.name.toUpperCase()}: in virtual-8086 mode the base must be the selector times 16.`,
    (entry) => {
      if (!isVirtual8086(entry)) return undefined;
      const expected = BigInt(entry.number(register.selector)) << 4n;
      return mustHold(entry.value(register.base) === expected, hex(expected), entry.value(register.base));
    },
  );

const canonicalBase = (register: SegmentFields, onlyUsable: boolean): EntryRule =>
  rule(
    register,
    'base.canonical',
    `${register.name.toUpperCase()}: ${onlyUsable ? 'if usable, ' : ''}the base must be canonical.`,
    (entry) =>
      onlyUsable && !usable(entry, register)
        ? undefined
        : mustHold(
            isCanonical(entry.value(register.base)),
            'a canonical address',
            entry.value(register.base),
          ),
  );

const base32 = (register: SegmentFields, onlyUsable: boolean): EntryRule =>
  rule(
    register,
    'base.upper',
    `${register.name.toUpperCase()}: ${onlyUsable ? 'if usable, ' : ''}bits 63:32 of the base must be 0.`,
    (entry) =>
      onlyUsable && !usable(entry, register)
        ? undefined
        : mustHold(entry.value(register.base) >> 32n === 0n, 'bits 63:32 clear', entry.value(register.base)),
  );

const baseRules: readonly EntryRule[] = [
  ...codeAndData.map(virtual8086Base),
  canonicalBase(tr, false),
  canonicalBase(fs, false),
  canonicalBase(gs, false),
  canonicalBase(ldtr, true),
  base32(cs, false),
  base32(ss, true),
  base32(ds, true),
  base32(es, true),
];

// -------------------------------------------------------------- virtual-8086 limits and rights

const VIRTUAL_8086_RIGHTS = 0xf3;

const virtual8086Rules: readonly EntryRule[] = [
  ...codeAndData.map((register) =>
    rule(
      register,
      'limit.virtual8086',
      `${register.name.toUpperCase()}: in virtual-8086 mode the limit must be FFFFH.`,
      (entry) =>
        mustHold(
          !isVirtual8086(entry) || entry.number(register.limit) === 0xffff,
          '0xffff',
          entry.number(register.limit),
        ),
    ),
  ),
  ...codeAndData.map((register) =>
    rule(
      register,
      'rights.virtual8086',
      `${register.name.toUpperCase()}: in virtual-8086 mode the access rights must be F3H.`,
      (entry) =>
        mustHold(
          !isVirtual8086(entry) || entry.number(register.rights) === VIRTUAL_8086_RIGHTS,
          '0xf3',
          entry.number(register.rights),
        ),
    ),
  ),
];

// -------------------------------------------------------------- access rights outside virtual-8086 mode

/** A rule on access rights: not in virtual-8086 mode, and (but for CS) not for an unusable register. */
const rightsRule = (
  register: SegmentFields,
  id: string,
  wording: string,
  check: (entry: EntryView, rights: number) => Violation | undefined,
): EntryRule =>
  rule(register, `rights.${id}`, `${register.name.toUpperCase()}: ${wording}`, (entry) => {
    const rights = entry.number(register.rights);
    if (isVirtual8086(entry) || (register !== cs && !isUsable(rights))) return undefined;
    return check(entry, rights);
  });

const isCodeType = (type: number): boolean => type >= 8;
const isConforming = (type: number): boolean => (type & 0xc) === 0xc;

const csRules: readonly EntryRule[] = [
  rightsRule(
    cs,
    'type',
    'the type must be 9, 11, 13 or 15, or 3 with "unrestricted guest".',
    (entry, rights) => {
      const type = segmentType(rights);
      const accessedCode = isCodeType(type) && (type & AccessRights.ACCESSED) !== 0;
      const realMode = type === SegmentType.DATA_READ_WRITE_ACCESSED && isUnrestricted(entry);
      return mustHold(accessedCode || realMode, '9, 11, 13, 15 (or 3, unrestricted)', type);
    },
  ),
];

const ssTypeRule = rightsRule(ss, 'type', 'if usable, the type must be 3 or 7.', (_, rights) => {
  const type = segmentType(rights);
  const writableData =
    type === SegmentType.DATA_READ_WRITE_ACCESSED ||
    type === SegmentType.DATA_READ_WRITE_EXPAND_DOWN_ACCESSED;
  return mustHold(writableData, '3 or 7', type);
});

const dataTypeRule = (register: SegmentFields): EntryRule =>
  rightsRule(
    register,
    'type',
    'if usable, the type must be accessed, and readable if it is code.',
    (_, rights) => {
      const type = segmentType(rights);
      const readable = !isCodeType(type) || (type & AccessRights.WRITABLE_OR_READABLE) !== 0;
      return mustHold((type & AccessRights.ACCESSED) !== 0 && readable, 'an accessed, readable type', type);
    },
  );

const csDplRule = rightsRule(
  cs,
  'dpl',
  'the DPL must be 0 for type 3, equal to SS.DPL for non-conforming code, and at most SS.DPL for conforming code.',
  (entry, rights) => {
    const type = segmentType(rights);
    const dpl = segmentDpl(rights);
    const ssDpl = segmentDpl(entry.number(ss.rights));
    if (!isCodeType(type)) return mustHold(dpl === 0, 'DPL 0', () => `DPL ${dpl}`);
    if (isConforming(type))
      return mustHold(
        dpl <= ssDpl,
        () => `DPL at most ${ssDpl}`,
        () => `DPL ${dpl}`,
      );
    return mustHold(
      dpl === ssDpl,
      () => `DPL ${ssDpl}`,
      () => `DPL ${dpl}`,
    );
  },
);

/** These two count for an unusable SS as well: its DPL is the CPL. */
const ssDplRules: readonly EntryRule[] = [
  rule(
    ss,
    'rights.dplRpl',
    'SS: if "unrestricted guest" is 0, the DPL must equal the RPL of the selector.',
    (entry) => {
      if (isVirtual8086(entry) || isUnrestricted(entry)) return undefined;
      const rpl = entry.number(ss.selector) & 3;
      const dpl = segmentDpl(entry.number(ss.rights));
      return mustHold(
        dpl === rpl,
        () => `DPL ${rpl}`,
        () => `DPL ${dpl}`,
      );
    },
  ),
  rule(ss, 'rights.dplRealMode', 'SS: the DPL must be 0 if the type of CS is 3 or CR0.PE is 0.', (entry) => {
    if (isVirtual8086(entry)) return undefined;
    const realMode =
      segmentType(entry.number(cs.rights)) === SegmentType.DATA_READ_WRITE_ACCESSED ||
      !(entry.value(Field.guestCr0) & Cr0.PE);
    const dpl = segmentDpl(entry.number(ss.rights));
    return mustHold(!realMode || dpl === 0, 'DPL 0', () => `DPL ${dpl}`);
  }),
];

const dataDplRule = (register: SegmentFields): EntryRule =>
  rightsRule(
    register,
    'dpl',
    'if usable, "unrestricted guest" is 0 and the type is not conforming code, the DPL must be at least the RPL.',
    (entry, rights) => {
      if (isUnrestricted(entry) || isConforming(segmentType(rights))) return undefined;
      const rpl = entry.number(register.selector) & 3;
      const dpl = segmentDpl(rights);
      return mustHold(
        dpl >= rpl,
        () => `DPL at least ${rpl}`,
        () => `DPL ${dpl}`,
      );
    },
  );

const commonRules = (register: SegmentFields): readonly EntryRule[] => [
  rightsRule(register, 's', 'the S flag must be 1.', (_, rights) =>
    mustHold((rights & AccessRights.S) !== 0, 'S set', rights),
  ),
  rightsRule(register, 'p', 'the P flag must be 1.', (_, rights) =>
    mustHold((rights & AccessRights.P) !== 0, 'P set', rights),
  ),
  rightsRule(register, 'reservedLow', 'bits 11:8 must be 0.', (_, rights) =>
    mustHold((rights & ACCESS_RIGHTS_RESERVED_LOW) === 0, 'bits 11:8 clear', rights),
  ),
  rightsRule(register, 'granularity', 'the G flag must fit the limit.', (entry, rights) => {
    const limit = entry.number(register.limit);
    return mustHold(
      granularityFits(limit, rights),
      GRANULARITY,
      () => `limit ${hex(limit)}, access rights ${hex(rights)}`,
    );
  }),
  rightsRule(register, 'reservedHigh', 'bits 31:17 must be 0.', (_, rights) =>
    mustHold((rights & ACCESS_RIGHTS_RESERVED_HIGH) === 0, 'bits 31:17 clear', rights),
  ),
];

const GRANULARITY = 'G 0 if a bit of limit[11:0] is 0, G 1 if a bit of limit[31:20] is 1';

const csDefaultSizeRule = rightsRule(
  cs,
  'db',
  'if "IA-32e mode guest" is 1 and the L flag is 1, the D/B flag must be 0.',
  (entry, rights) =>
    mustHold(
      !entry.guestIsIa32e || !(rights & AccessRights.L) || !(rights & AccessRights.DB),
      'D/B clear in 64-bit mode',
      rights,
    ),
);

// -------------------------------------------------------------- TR and LDTR

const systemRules = (register: SegmentFields, onlyUsable: boolean): readonly EntryRule[] => {
  const systemRule = (
    id: string,
    wording: string,
    check: (entry: EntryView, rights: number) => Violation | undefined,
  ): EntryRule =>
    rule(
      register,
      `rights.${id}`,
      `${register.name.toUpperCase()}: ${onlyUsable ? 'if usable, ' : ''}${wording}`,
      (entry) => {
        const rights = entry.number(register.rights);
        return onlyUsable && !isUsable(rights) ? undefined : check(entry, rights);
      },
    );
  return [
    systemRule('s', 'the S flag must be 0.', (_, rights) =>
      mustHold((rights & AccessRights.S) === 0, 'S clear', rights),
    ),
    systemRule('p', 'the P flag must be 1.', (_, rights) =>
      mustHold((rights & AccessRights.P) !== 0, 'P set', rights),
    ),
    systemRule('reservedLow', 'bits 11:8 must be 0.', (_, rights) =>
      mustHold((rights & ACCESS_RIGHTS_RESERVED_LOW) === 0, 'bits 11:8 clear', rights),
    ),
    systemRule('granularity', 'the G flag must fit the limit.', (entry, rights) => {
      const limit = entry.number(register.limit);
      return mustHold(
        granularityFits(limit, rights),
        GRANULARITY,
        () => `limit ${hex(limit)}, access rights ${hex(rights)}`,
      );
    }),
    systemRule('reservedHigh', 'bits 31:17 must be 0.', (_, rights) =>
      mustHold((rights & ACCESS_RIGHTS_RESERVED_HIGH) === 0, 'bits 31:17 clear', rights),
    ),
  ];
};

const trTypeRule = rule(
  tr,
  'rights.type',
  'TR: the type must be 11 (busy TSS), or 3 (busy 16-bit TSS) outside IA-32e mode.',
  (entry) => {
    const type = segmentType(entry.number(tr.rights));
    const busy16 = type === SegmentType.BUSY_16_BIT_TSS && !entry.guestIsIa32e;
    return mustHold(type === SegmentType.BUSY_TSS || busy16, entry.guestIsIa32e ? '11' : '3 or 11', type);
  },
);

const trUsableRule = rule(tr, 'rights.usable', 'TR: bit 16 (unusable) must be 0.', (entry) =>
  mustHold(usable(entry, tr), 'usable', entry.number(tr.rights)),
);

const ldtrTypeRule = rule(ldtr, 'rights.type', 'LDTR: if usable, the type must be 2 (LDT).', (entry) => {
  const type = segmentType(entry.number(ldtr.rights));
  return mustHold(!usable(entry, ldtr) || type === SegmentType.LDT, '2', type);
});

/** In the manual's order. */
export const guestSegmentRules: readonly EntryRule[] = [
  ...selectorRules,
  ...baseRules,
  ...virtual8086Rules,
  ...csRules,
  ssTypeRule,
  ...data.map(dataTypeRule),
  csDplRule,
  ...ssDplRules,
  ...data.map(dataDplRule),
  ...codeAndData.flatMap(commonRules),
  csDefaultSizeRule,
  trTypeRule,
  ...systemRules(tr, false),
  trUsableRule,
  ldtrTypeRule,
  ...systemRules(ldtr, true),
];
