// SPDX-License-Identifier: Apache-2.0
#include "evidence/adaptor_store.h"
#include "evidence/folder_store.h"
#include "evidence/picture_store.h"

namespace dsmsg::evidence {

Result<std::shared_ptr<PictureStore>> OpenStore(const EvidenceSettings& settings,
                                                std::vector<std::string>* warnings) {
  if (settings.kind == EvidenceSettings::Kind::kFolder) {
    auto folder = FolderStore::Open(settings);
    if (!folder.ok()) return folder.status();
    return std::shared_ptr<PictureStore>(std::move(folder.value()));
  }
  auto store = AdaptorStore::Open(settings, warnings);
  if (!store.ok()) return store.status();
  return std::shared_ptr<PictureStore>(std::move(store.value()));
}

}  // namespace dsmsg::evidence
