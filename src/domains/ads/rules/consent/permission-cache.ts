import {
  CONSENT_CHARACTERS_MAX,
  readPermission,
  type ConsentDemand,
  type ConsentSignals,
  type Permission,
} from './permission.ts';

/** Consent strings that are remembered; with the longest strings some 20 MB. */
const PERMISSIONS_MAX = 2_048;

/** Reads permissions, and each string only once while it is among those that were asked for last. */
export class PermissionCache {
  readonly #known = new Map<string, Permission>();
  readonly #sizeMax: number;

  constructor(sizeMax: number = PERMISSIONS_MAX) {
    this.#sizeMax = sizeMax;
  }

  get size(): number {
    return this.#known.size;
  }

  readonly read = (demand: ConsentDemand, signals: ConsentSignals): Permission => {
    const { tcf = '', gpp = '' } = signals;
    // Texts that are too long are refused unread, and would fill the cache.
    if (tcf.length > CONSENT_CHARACTERS_MAX || gpp.length > CONSENT_CHARACTERS_MAX)
      return readPermission(demand, signals);
    const { framework, vendor = '', legitimateInterests = [] } = demand;
    const key = `${framework} ${vendor} ${legitimateInterests.join()} ${tcf} ${gpp}`;
    const permission = this.#known.get(key) ?? readPermission(demand, signals);
    this.#known.delete(key);
    this.#known.set(key, permission);
    const [oldest] = this.#known.keys();
    if (this.#known.size > this.#sizeMax && oldest !== undefined) this.#known.delete(oldest);
    return permission;
  };
}
