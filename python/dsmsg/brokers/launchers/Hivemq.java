// SPDX-License-Identifier: Apache-2.0

import com.hivemq.embedded.EmbeddedExtension;
import com.hivemq.embedded.EmbeddedHiveMQ;
import com.hivemq.extension.sdk.api.ExtensionMain;
import com.hivemq.extension.sdk.api.auth.SimpleAuthenticator;
import com.hivemq.extension.sdk.api.auth.parameter.SimpleAuthInput;
import com.hivemq.extension.sdk.api.auth.parameter.SimpleAuthOutput;
import com.hivemq.extension.sdk.api.packets.connect.ConnackReasonCode;
import com.hivemq.extension.sdk.api.parameter.*;
import com.hivemq.extension.sdk.api.services.Services;
import com.hivemq.extension.sdk.api.services.builder.Builders;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * HiveMQ CE, embedded, with its allow-all extension or users. Arguments: folder with config.xml,
 * then name=value: user=NAME:PASSWORD, open=NAME:PREFIX (topics that this user may use).
 */
public class Hivemq {
  public static void main(String[] arguments) throws Exception {
    Map<String, String> users = new HashMap<>();
    Map<String, String> open = new HashMap<>();
    for (int i = 1; i < arguments.length; ++i) {
      String[] parts = arguments[i].split("[=:]", 3);
      (parts[0].equals("user") ? users : open).put(parts[1], parts[2]);
    }
    Path folder = Path.of(arguments[0]);
    folder.resolve("extensions").toFile().mkdirs();
    folder.resolve("data").toFile().mkdirs();
    EmbeddedExtension access =
        EmbeddedExtension.builder()
            .withId("access")
            .withName("access")
            .withVersion("1")
            .withExtensionMain(new Access(users, open))
            .build();
    EmbeddedHiveMQ server =
        EmbeddedHiveMQ.builder()
            .withConfigurationFolder(folder)
            .withDataFolder(folder.resolve("data"))
            .withExtensionsFolder(folder.resolve("extensions"))
            .withEmbeddedExtension(access)
            .build();
    server.start().join();
    Thread.currentThread().join();
  }

  record Access(Map<String, String> users, Map<String, String> open)
      implements ExtensionMain, SimpleAuthenticator {
    @Override
    public void extensionStart(ExtensionStartInput input, ExtensionStartOutput output) {
      Services.securityRegistry().setAuthenticatorProvider(provider -> this);
    }

    @Override
    public void extensionStop(ExtensionStopInput input, ExtensionStopOutput output) {}

    @Override
    public void onConnect(SimpleAuthInput input, SimpleAuthOutput output) {
      if (!users.isEmpty()) {
        String user = input.getConnectPacket().getUserName().orElse("");
        String password =
            input
                .getConnectPacket()
                .getPassword()
                .map(bytes -> StandardCharsets.UTF_8.decode(bytes).toString())
                .orElse("");
        if (!password.equals(users.get(user))) {
          output.failAuthentication(ConnackReasonCode.NOT_AUTHORIZED, "wrong password");
          return;
        }
        if (open.containsKey(user)) {
          output
              .getDefaultPermissions()
              .add(Builders.topicPermission().topicFilter(open.get(user) + "/#").build());
        }
      }
      output.authenticateSuccessfully();
    }
  }
}
