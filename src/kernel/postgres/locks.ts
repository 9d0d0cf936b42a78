/** Advisory locks of ours, each for one purpose in one database. The numbers are permanent: versions share them. */
export const ADVISORY_LOCKS = {
  /** Held while the schema is changed. */
  migrations: 7_262_301,
  /** Held by the one process that writes resources, as long as it does. */
  resourceWriter: 7_262_302,
  /** Held by the one process that rolls the event log into files. */
  rollUp: 7_262_303,
  /** Held by the one erasure of what quotas keep that is under way. */
  quotaErasure: 7_262_304,
} as const;
