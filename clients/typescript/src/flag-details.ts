/** What a flag is, and why. */
export interface FlagDetails {
  readonly key: string;
  /** Undefined: use the default in your code. */
  readonly value: unknown;
  readonly variant: string | undefined;
  readonly reason: 'STATIC' | 'TARGETING_MATCH' | 'SPLIT' | 'DISABLED' | 'ERROR';
  readonly errorCode?:
    | 'PROVIDER_NOT_READY'
    | 'FLAG_NOT_FOUND'
    | 'INVALID_CONTEXT'
    | 'TARGETING_KEY_MISSING'
    | 'GENERAL';
  readonly errorMessage?: string;
  readonly rule?: string;
  readonly experiment?: string;
  readonly assignmentId?: string;
  readonly holdout?: string;
  readonly revision?: string;
  readonly snapshot?: string;
}
