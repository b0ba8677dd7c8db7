/** Which VMCS fields hold which segment register. */
import type { SegmentName } from '../cpu/layout.js';
import { SEGMENTS } from '../cpu/layout.js';
import type { VmcsField } from './fields.js';
import { Field } from './fields.js';

export interface SegmentFields {
  readonly name: SegmentName;
  readonly selector: VmcsField;
  readonly base: VmcsField;
  readonly limit: VmcsField;
  readonly rights: VmcsField;
}

const upper = { es: 'Es', cs: 'Cs', ss: 'Ss', ds: 'Ds', fs: 'Fs', gs: 'Gs', ldtr: 'Ldtr', tr: 'Tr' } as const;

const fieldsOf = (name: SegmentName): SegmentFields => ({
  name,
  selector: Field[`guest${upper[name]}Selector`],
  base: Field[`guest${upper[name]}Base`],
  limit: Field[`guest${upper[name]}Limit`],
  rights: Field[`guest${upper[name]}AccessRights`],
});

/** The guest-state fields of every segment register. */
export const guestSegments: readonly SegmentFields[] = SEGMENTS.map(fieldsOf);
export const guestSegment = Object.fromEntries(
  guestSegments.map((fields) => [fields.name, fields]),
) as Readonly<Record<SegmentName, SegmentFields>>;
