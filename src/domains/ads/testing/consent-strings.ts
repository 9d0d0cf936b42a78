import { GVL, PurposeRestriction, TCModel, TCString, type VendorList } from '@iabtechlabtcf/core';
import { GppModel } from '@iabgpp/cmpapi';

export const VENDORS_MAX = 60;
export const PURPOSES = Array.from({ length: 11 }, (_, index) => index + 1);
/** Purposes for which there can be legitimate interest. */
export const INTERESTS = [2, 7, 8, 9, 10, 11];

/** A Global Vendor List: vendors with odd numbers have all purposes by consent, the others by legitimate interest where there can be one. */
const vendorList = {
  gvlSpecificationVersion: 3,
  vendorListVersion: 100,
  tcfPolicyVersion: 5,
  lastUpdated: '2026-01-01T00:00:00Z',
  purposes: Object.fromEntries(PURPOSES.map((id) => [id, { id, name: '', description: '', illustrations: [] }])),
  specialPurposes: {},
  features: {},
  specialFeatures: {},
  stacks: {},
  dataCategories: {},
  vendors: Object.fromEntries(
    Array.from({ length: VENDORS_MAX }, (_, index) => [
      index + 1,
      {
        id: index + 1,
        name: `vendor ${index + 1}`,
        purposes: PURPOSES.filter((id) => index % 2 === 0 || !INTERESTS.includes(id)),
        legIntPurposes: index % 2 === 0 ? [] : INTERESTS,
        flexiblePurposes: INTERESTS,
        specialPurposes: [],
        features: [],
        specialFeatures: [],
        urls: [],
      },
    ]),
  ),
};
const gvl = new GVL(structuredClone(vendorList) as unknown as VendorList);

export interface TcParts {
  readonly createdMs?: number;
  readonly purposeConsents?: readonly number[];
  readonly purposeInterests?: readonly number[];
  readonly vendorConsents?: readonly number[];
  readonly vendorInterests?: readonly number[];
  /** undefined: without the segment. */
  readonly disclosed?: readonly number[] | undefined;
  /** Types: 0 not allowed, 1 consent only, 2 legitimate interest only. */
  readonly restrictions?: readonly { readonly purpose: number; readonly type: number; readonly vendor: number }[];
}

/** A consent string of the public library. */
export function tcString(parts: TcParts): string {
  const { createdMs = Date.UTC(2026, 5, 1), purposeConsents = [], purposeInterests = [], restrictions = [] } = parts;
  const model = new TCModel(gvl);
  model.cmpId = 31;
  model.cmpVersion = 1;
  model.consentScreen = 1;
  model.isServiceSpecific = true;
  model.purposeConsents.set([...purposeConsents]);
  model.purposeLegitimateInterests.set([...purposeInterests]);
  model.vendorConsents.set([...(parts.vendorConsents ?? [])]);
  model.vendorLegitimateInterests.set([...(parts.vendorInterests ?? [])]);
  model.vendorsDisclosed.set([...(parts.disclosed ?? [])]);
  for (const { purpose, type, vendor } of restrictions) {
    model.publisherRestrictions.add(vendor, new PurposeRestriction(purpose, type));
  }
  model.created = new Date(createdMs);
  model.lastUpdated = new Date(createdMs);
  const [core = '', ...segments] = TCString.encode(model).split('.');
  // The library always writes the disclosed vendors: a segment of type 1 begins with the bits 001.
  return [core, ...segments.filter((segment) => parts.disclosed !== undefined || !/^[I-P]/.test(segment))].join('.');
}

/** A GPP string of the public library: fields by section. */
export function gppString(sections: Readonly<Record<string, Readonly<Record<string, unknown>>>>): string {
  const model = new GppModel();
  for (const [section, fields] of Object.entries(sections)) {
    for (const [field, value] of Object.entries(fields)) model.setFieldValue(section, field, value);
  }
  return model.encode();
}
