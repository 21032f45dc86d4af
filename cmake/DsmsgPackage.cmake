# SPDX-License-Identifier: Apache-2.0
# What developers of programs and adaptors install (headers, pkg-config, CMake package: component `dev`), and, with
# DSMSG_PACKAGING, Debian packages by CPack (scripts/package).
include(CMakePackageConfigHelpers)

install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/dsmsg COMPONENT dev)
file(RELATIVE_PATH prefix_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/dsmsg.pc.in dsmsg.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/dsmsg.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)
configure_package_config_file(cmake/dsmsg-config.cmake.in dsmsg-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/dsmsg PATH_VARS CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(dsmsg-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/dsmsg-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/dsmsg-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/dsmsg COMPONENT dev)

if(NOT DSMSG_PACKAGING)
  return()
endif()

set(package_of_adaptors dsmsg-adaptors)
set(package_of_gstreamer gstreamer1.0-dsmsg)
set(package_of_compat gstreamer1.0-dsmsg-compat)
set(package_of_dev dsmsg-dev)
foreach(component adaptors gstreamer compat dev)
  install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package_of_${component}} RENAME copyright
    COMPONENT ${component})
endforeach()
install(DIRECTORY cfg/ DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/dsmsg-adaptors/examples COMPONENT adaptors)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME dsmsg)
set(CPACK_PACKAGE_CONTACT "The dsmsg project <dsmsg@invalid>")
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/packages)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_COMPONENTS_ALL adaptors payloads gstreamer compat dev)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)

set(CPACK_COMPONENT_ADAPTORS_GROUP adaptors)
set(CPACK_COMPONENT_PAYLOADS_GROUP adaptors)
set(CPACK_DEBIAN_ADAPTORS_PACKAGE_NAME ${package_of_adaptors})
set(CPACK_DEBIAN_ADAPTORS_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_ADAPTORS_DESCRIPTION "message-broker adaptors for video analytics
 Protocol adaptors (nvds_msgapi) for Kafka, MQTT, Redis, AMQP, ZeroMQ, NATS, HTTP, Pulsar and Azure, the broker
 client library (nv_msgbroker) and the payload library (nvds_msg2p), for DeepStream and for GStreamer.")

set(CPACK_COMPONENT_GSTREAMER_GROUP gstreamer)
set(CPACK_DEBIAN_GSTREAMER_PACKAGE_NAME ${package_of_gstreamer})
set(CPACK_DEBIAN_GSTREAMER_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_GSTREAMER_PACKAGE_DEPENDS "dsmsg-adaptors (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_GSTREAMER_PACKAGE_RECOMMENDS "libturbojpeg0 | libturbojpeg") # evidence loads it
set(CPACK_DEBIAN_GSTREAMER_DESCRIPTION "GStreamer elements that send analytics results to message brokers
 dsmsgconv makes messages of metadata on frames, dsmsgbroker sends them through an adaptor.")

set(CPACK_COMPONENT_COMPAT_GROUP compat)
set(CPACK_DEBIAN_COMPAT_PACKAGE_NAME ${package_of_compat})
set(CPACK_DEBIAN_COMPAT_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_COMPAT_PACKAGE_DEPENDS "dsmsg-adaptors (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_COMPAT_DESCRIPTION "DeepStream's element names nvmsgconv and nvmsgbroker, by dsmsg
 For machines without DeepStream, so that pipelines written for it run there. Do not install it beside DeepStream.")

set(CPACK_COMPONENT_DEV_GROUP dev)
set(CPACK_DEBIAN_DEV_PACKAGE_NAME ${package_of_dev})
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "dsmsg-adaptors (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_DEV_DESCRIPTION "headers of dsmsg, with pkg-config and CMake files
 For programs that use the broker client library, and for protocol adaptors of your own.")
include(CPack)
