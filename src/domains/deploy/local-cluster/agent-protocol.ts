import type { ObservedComponent } from '../rules/cluster-state.ts';

/** The file in which an agent says who it is and how to speak to it. */
export const AGENT_FILE = 'agent.json';
/** Environment variable with the settings of an agent, as JSON. */
export const AGENT_SETTINGS = 'BACKLINE_LOCAL_CLUSTER_AGENT';

export interface AgentSettings {
  readonly cluster: string;
  readonly directory: string;
  /** The port of its proxy; 0 is any. */
  readonly port: number;
  readonly token: string;
}

export interface AgentRecord {
  readonly pid: number;
  readonly started: string;
  /** The port at which it is spoken to. */
  readonly port: number;
  readonly proxyPort: number;
  readonly token: string;
  readonly version: string;
}

/** The last lines of one replica. */
export interface ReplicaLog {
  readonly replica: string;
  readonly lines: readonly string[];
}

export interface AgentState {
  readonly proxyPort: number;
  readonly components: readonly ObservedComponent[];
}
