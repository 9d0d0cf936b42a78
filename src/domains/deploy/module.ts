import { defineModule } from '#kernel/modules/module.ts';
import { deployControllers } from './controllers/clusters.ts';
import { instanceLogs } from './instance-logs.ts';
import { Cluster } from './kinds/cluster.ts';
import { Component } from './kinds/component.ts';
import { Instance } from './kinds/instance.ts';
import { clusters } from './target/clusters.ts';

/** Components, and the clusters that run them. */
export const deploy = defineModule({
  name: 'deploy',
  kinds: [Cluster, Component, Instance],
  targets: [clusters],
  controllers: deployControllers,
  commands: instanceLogs,
});
