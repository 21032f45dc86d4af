// SPDX-License-Identifier: Apache-2.0

import org.apache.activemq.artemis.core.config.impl.SecurityConfiguration;
import org.apache.activemq.artemis.core.server.embedded.EmbeddedActiveMQ;
import org.apache.activemq.artemis.spi.core.security.ActiveMQJAASSecurityManager;
import org.apache.activemq.artemis.spi.core.security.jaas.InVMLoginModule;

/**
 * ActiveMQ Artemis, embedded. Arguments: URL of broker.xml, then user=NAME:PASSWORD; each user has
 * a role of the same name.
 */
public class Artemis {
  public static void main(String[] arguments) throws Exception {
    SecurityConfiguration users = new SecurityConfiguration();
    for (int i = 1; i < arguments.length; ++i) {
      String[] parts = arguments[i].split("[=:]", 3);
      users.addUser(parts[1], parts[2]);
      users.addRole(parts[1], parts[1]);
    }
    EmbeddedActiveMQ server = new EmbeddedActiveMQ();
    server.setConfigResourcePath(arguments[0]);
    server.setSecurityManager(
        new ActiveMQJAASSecurityManager(InVMLoginModule.class.getName(), users));
    server.start();
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  try {
                    server.stop();
                  } catch (Exception error) {
                    error.printStackTrace();
                  }
                }));
    Thread.currentThread().join();
  }
}
