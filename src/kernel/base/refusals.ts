import { Refusal, type Reason, type RefusalDetails } from './failures.ts';

/** One refusal of a registry. */
export interface RefusalDeclaration {
  /** The HTTP status follows from it. */
  readonly reason: Reason;
  /** When it is answered: a sentence for the reference. */
  readonly meaning: string;
  /** A sentence that says what the caller can do; the place that throws may give a more exact one. */
  readonly remedy?: string;
  /** The same for the reference alone, where clients of Kubernetes expect the message as it is. */
  readonly hint?: string;
}

/** The refusals of one area: makes one by its code. */
export interface Refusals<Area extends string, Code extends string> {
  (code: Code, message: string, details?: RefusalDetails): Refusal;
  readonly area: Area;
  readonly declared: Readonly<Record<Code, RefusalDeclaration>>;
}

/** The codes of a registry, for the declaration of `RefusalCodes`. */
export type CodesOf<Registry> =
  Registry extends Refusals<infer Area, infer Code> ? { readonly [Each in `${Area}/${Code}`]: true } : never;

/**
 * A registry of refusals: each code is declared once, with its status, meaning and remedy. Codes are permanent: programs
 * depend on them.
 */
export function defineRefusals<const Area extends string, const Code extends string>(
  area: Area,
  declared: Readonly<Record<Code, RefusalDeclaration>>,
): Refusals<Area, Code> {
  const make = (code: Code, message: string, details: RefusalDetails = {}): Refusal => {
    const { reason, remedy } = declared[code];
    // Every registry declares its codes as `RefusalCodes`.
    return new Refusal(`${area}/${code}` as never, reason, message, {
      ...(remedy === undefined ? {} : { remedy }),
      ...details,
    });
  };
  return Object.assign(make, { area, declared });
}
