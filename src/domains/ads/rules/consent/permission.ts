import { readGppSections, readUsNational, TCF_EU_SECTION, US_NATIONAL_SECTION, type UsNational } from './gpp-string.ts';
import { hasVendor, readTcString, type TcString } from './tc-string.ts';

/** Longer strings are not read: decoding costs by their length. */
export const CONSENT_CHARACTERS_MAX = 4_096;

/** From here on (TCF 2.3) a string without its disclosed vendors is no consent. */
const DISCLOSURE_SINCE_MS = Date.UTC(2026, 1, 28);

/** Purposes of the framework that ads need. */
const STORAGE = 1;
const LIMITED_ADS = 2;
const PROFILES = 3;
const PERSONAL_ADS = 4;
const MEASUREMENT = 7;

/** Purposes for which the framework allows legitimate interest, of those that ads need. */
export const INTEREST_PURPOSES = [LIMITED_ADS, MEASUREMENT] as const;

/** How the consent of a territory is expressed. */
export const FRAMEWORKS = ['tcf', 'gpp', 'none'] as const;

/** The consent that a policy demands of listeners of some territories. */
export interface ConsentDemand {
  readonly framework: (typeof FRAMEWORKS)[number];
  /** Our number in the Global Vendor List, for `tcf`. */
  readonly vendor?: number | undefined;
  /** Purposes for which we declare legitimate interest there; all others need consent. */
  readonly legitimateInterests?: readonly number[] | undefined;
}

/** The strings of a consent management platform, as the app passed them on. */
export interface ConsentSignals {
  readonly tcf?: string | undefined;
  readonly gpp?: string | undefined;
}

/** Uses of a listener's data. */
export interface Permission {
  /** Every attribute may choose ads. */
  readonly personal: boolean;
  /** Attributes of the device and the rough place may choose ads. */
  readonly limited: boolean;
  /** A history of the listener may be kept, for frequency caps. */
  readonly history: boolean;
  /** Third parties may measure: their pixels may be called. */
  readonly measurement: boolean;
  /** Ages that the signal itself gives away. */
  readonly knownAs?: 'child' | 'teen' | undefined;
  /** Why it is less than everything. */
  readonly reason?: string | undefined;
}

export const ALL_PERMITTED: Permission = { personal: true, limited: true, history: true, measurement: true };

export function nothingPermitted(reason: string): Permission {
  return { personal: false, limited: false, history: false, measurement: false, reason };
}

/**
 * The uses that signals permit where a policy demands consent. An absent, too long or broken string is no consent. The age that
 * a GPP string gives away counts whatever is demanded: it only makes rules stricter.
 */
export function readPermission(demand: ConsentDemand, signals: ConsentSignals): Permission {
  const permission = demandedPermission(demand, signals);
  const knownAs = signalledAge(signals.gpp);
  return knownAs === undefined ? permission : { ...permission, knownAs };
}

function demandedPermission(demand: ConsentDemand, signals: ConsentSignals): Permission {
  if (demand.framework === 'none') return ALL_PERMITTED;
  const signal = demand.framework === 'tcf' ? (signals.tcf ?? signals.gpp) : signals.gpp;
  if (signal === undefined || signal === '') return nothingPermitted('no consent signal');
  if (signal.length > CONSENT_CHARACTERS_MAX) {
    return nothingPermitted(`consent string is longer than ${CONSENT_CHARACTERS_MAX} characters`);
  }
  if (demand.framework === 'tcf' && signals.tcf !== undefined) return tcfPermission(demand, signal);
  const sections = readGppSections(signal);
  if ('fault' in sections) return nothingPermitted(`consent string is broken: ${sections.fault}`);
  const section = sections.get(demand.framework === 'tcf' ? TCF_EU_SECTION : US_NATIONAL_SECTION);
  if (section === undefined) return nothingPermitted('consent string has no section of the framework');
  return demand.framework === 'tcf' ? tcfPermission(demand, section) : usPermission(section);
}

function tcfPermission({ vendor = 0, legitimateInterests = [] }: ConsentDemand, text: string): Permission {
  const read = readTcString(text);
  if ('fault' in read) return nothingPermitted(`consent string is broken: ${read.fault}`);
  const { disclosedVendors, createdMs } = read;
  if (disclosedVendors === undefined && createdMs >= DISCLOSURE_SINCE_MS) {
    return nothingPermitted('consent string lacks disclosed vendors');
  }
  if (disclosedVendors !== undefined && !hasVendor(disclosedVendors, vendor)) {
    return nothingPermitted(`vendor ${vendor} was not disclosed`);
  }
  const may = (purpose: number) => mayProcess(read, purpose, { vendor, legitimateInterests });
  const permission = {
    personal: may(PROFILES) && may(PERSONAL_ADS),
    limited: may(LIMITED_ADS),
    history: may(STORAGE),
    measurement: may(MEASUREMENT),
  };
  return Object.values(permission).every(Boolean) ? permission : { ...permission, reason: 'listener did not consent' };
}

/** Whether the vendor has a legal basis for a purpose. What the publisher restricts comes first. */
function mayProcess(
  { purposeConsents, purposeInterests, vendorConsents, vendorInterests, restrictions }: TcString,
  purpose: number,
  { vendor, legitimateInterests }: { readonly vendor: number; readonly legitimateInterests: readonly number[] },
): boolean {
  const restricted = restrictions.flatMap(({ purpose: other, type, vendors }) =>
    other === purpose && hasVendor(vendors, vendor) ? [type] : [],
  );
  if (restricted.includes('notAllowed')) return false;
  const declaresInterest = legitimateInterests.includes(purpose);
  if (declaresInterest && !restricted.includes('consentOnly')) {
    return purposeInterests.has(purpose) && hasVendor(vendorInterests, vendor);
  }
  if (restricted.includes('interestOnly')) return false;
  return purposeConsents.has(purpose) && hasVendor(vendorConsents, vendor);
}

/** Opt-outs: our own history is no sale, and stays; pixels of third parties are sale or sharing. */
function usPermission(text: string): Permission {
  const read = readUsNational(text);
  if ('fault' in read) return nothingPermitted(`consent string is broken: ${read.fault}`);
  const isShared = !isOptedOut(read);
  const permission = {
    personal: isShared && read.targetedAdvertisingOptOut === 'didNotOptOut',
    limited: true,
    history: true,
    measurement: isShared,
  };
  return permission.personal ? permission : { ...permission, reason: 'listener opted out' };
}

function signalledAge(gpp = ''): Permission['knownAs'] {
  if (gpp === '' || gpp.length > CONSENT_CHARACTERS_MAX) return undefined;
  const sections = readGppSections(gpp);
  const section = 'fault' in sections ? undefined : sections.get(US_NATIONAL_SECTION);
  const read = section === undefined ? undefined : readUsNational(section);
  if (read === undefined || 'fault' in read) return undefined;
  return read.isChild ? 'child' : read.isTeen ? 'teen' : undefined;
}

function isOptedOut({ saleOptOut, sharingOptOut, hasPrivacyControl }: UsNational): boolean {
  return saleOptOut === 'optedOut' || sharingOptOut === 'optedOut' || hasPrivacyControl;
}
