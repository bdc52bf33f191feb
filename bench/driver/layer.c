/*
 * A Vulkan layer that writes what the driver tells of every compute pipeline (VK_KHR_pipeline_executable_properties), a line
 * of JSON each, to the file named by VITC_PIPELINES: registers, bytes of code, workgroup memory. pipelines.mjs builds and
 * uses it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <vulkan/vulkan.h>
#include <vulkan/vk_layer.h>

#define EXTENSION "VK_KHR_pipeline_executable_properties"

static PFN_vkGetInstanceProcAddr next_instance;
static PFN_vkGetDeviceProcAddr next_device;
static VkInstance instance;
static PFN_vkCreateComputePipelines create_pipelines;
static PFN_vkGetPipelineExecutablePropertiesKHR get_properties;
static PFN_vkGetPipelineExecutableStatisticsKHR get_statistics;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info, const VkAllocationCallbacks *allocator, VkInstance *out) {
  VkLayerInstanceCreateInfo *link = (void *)info->pNext;
  while (link && !(link->sType == VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO && link->function == VK_LAYER_LINK_INFO)) link = (void *)link->pNext;
  if (!link) return VK_ERROR_INITIALIZATION_FAILED;
  next_instance = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
  link->u.pLayerInfo = link->u.pLayerInfo->pNext;
  VkResult result = ((PFN_vkCreateInstance)next_instance(NULL, "vkCreateInstance"))(info, allocator, out);
  instance = *out;
  return result;
}

/* One line for each executable of a pipeline; compute pipelines have one. */
static void describe(FILE *file, VkDevice device, VkPipeline pipeline) {
  VkPipelineInfoKHR of = { VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR, NULL, pipeline };
  uint32_t executables = 0;
  get_properties(device, &of, &executables, NULL);
  for (uint32_t e = 0; e < executables; e++) {
    VkPipelineExecutableInfoKHR one = { VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, NULL, pipeline, e };
    uint32_t count = 0;
    get_statistics(device, &one, &count, NULL);
    VkPipelineExecutableStatisticKHR *all = calloc(count + 1, sizeof *all);
    for (uint32_t i = 0; i < count; i++) all[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR;
    get_statistics(device, &one, &count, all);
    fprintf(file, "{");
    for (uint32_t i = 0; i < count; i++) fprintf(file, "%s\"%s\":%llu", i ? "," : "", all[i].name, (unsigned long long)all[i].value.u64);
    fprintf(file, "}\n");
    free(all);
  }
}

static VKAPI_ATTR VkResult VKAPI_CALL create_compute_pipelines(VkDevice device, VkPipelineCache cache, uint32_t count, const VkComputePipelineCreateInfo *infos, const VkAllocationCallbacks *allocator, VkPipeline *out) {
  if (!get_properties || !get_statistics) return create_pipelines(device, cache, count, infos, allocator, out);
  VkComputePipelineCreateInfo *own = malloc(count * sizeof *own);
  memcpy(own, infos, count * sizeof *own);
  for (uint32_t i = 0; i < count; i++) own[i].flags |= VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR;
  VkResult result = create_pipelines(device, cache, count, own, allocator, out);
  free(own);
  const char *path = getenv("VITC_PIPELINES");
  if (result != VK_SUCCESS || !path) return result;
  pthread_mutex_lock(&lock);
  FILE *file = fopen(path, "a");
  if (file) {
    for (uint32_t i = 0; i < count; i++) describe(file, device, out[i]);
    fclose(file);
  }
  pthread_mutex_unlock(&lock);
  return result;
}

static int offers(VkPhysicalDevice physical) {
  PFN_vkEnumerateDeviceExtensionProperties enumerate = (PFN_vkEnumerateDeviceExtensionProperties)next_instance(instance, "vkEnumerateDeviceExtensionProperties");
  uint32_t count = 0;
  enumerate(physical, NULL, &count, NULL);
  VkExtensionProperties *all = calloc(count + 1, sizeof *all);
  enumerate(physical, NULL, &count, all);
  int found = 0;
  for (uint32_t i = 0; i < count; i++) found |= strcmp(all[i].extensionName, EXTENSION) == 0;
  free(all);
  return found;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical, const VkDeviceCreateInfo *info, const VkAllocationCallbacks *allocator, VkDevice *out) {
  VkLayerDeviceCreateInfo *link = (void *)info->pNext;
  while (link && !(link->sType == VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO && link->function == VK_LAYER_LINK_INFO)) link = (void *)link->pNext;
  if (!link) return VK_ERROR_INITIALIZATION_FAILED;
  next_instance = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
  next_device = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
  link->u.pLayerInfo = link->u.pLayerInfo->pNext;
  int offered = offers(physical);
  VkDeviceCreateInfo own = *info;
  const char **names = malloc((own.enabledExtensionCount + 1) * sizeof *names);
  memcpy(names, own.ppEnabledExtensionNames, own.enabledExtensionCount * sizeof *names);
  VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR feature = { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR, (void *)own.pNext, VK_TRUE };
  if (offered) {
    names[own.enabledExtensionCount++] = EXTENSION;
    own.ppEnabledExtensionNames = names;
    own.pNext = &feature;
  }
  VkResult result = ((PFN_vkCreateDevice)next_instance(instance, "vkCreateDevice"))(physical, &own, allocator, out);
  free(names);
  if (result != VK_SUCCESS) return result;
  create_pipelines = (PFN_vkCreateComputePipelines)next_device(*out, "vkCreateComputePipelines");
  if (offered) {
    get_properties = (PFN_vkGetPipelineExecutablePropertiesKHR)next_device(*out, "vkGetPipelineExecutablePropertiesKHR");
    get_statistics = (PFN_vkGetPipelineExecutableStatisticsKHR)next_device(*out, "vkGetPipelineExecutableStatisticsKHR");
  }
  return result;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL device_address(VkDevice device, const char *name) {
  if (!strcmp(name, "vkGetDeviceProcAddr")) return (PFN_vkVoidFunction)device_address;
  if (!strcmp(name, "vkCreateComputePipelines")) return (PFN_vkVoidFunction)create_compute_pipelines;
  return next_device(device, name);
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL instance_address(VkInstance of, const char *name) {
  if (!strcmp(name, "vkGetInstanceProcAddr")) return (PFN_vkVoidFunction)instance_address;
  if (!strcmp(name, "vkCreateInstance")) return (PFN_vkVoidFunction)create_instance;
  if (!strcmp(name, "vkCreateDevice")) return (PFN_vkVoidFunction)create_device;
  if (!strcmp(name, "vkGetDeviceProcAddr")) return (PFN_vkVoidFunction)device_address;
  if (!strcmp(name, "vkCreateComputePipelines")) return (PFN_vkVoidFunction)create_compute_pipelines;
  return next_instance ? next_instance(of, name) : NULL;
}

__attribute__((visibility("default"))) VKAPI_ATTR VkResult VKAPI_CALL vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *version) {
  version->loaderLayerInterfaceVersion = 2;
  version->pfnGetInstanceProcAddr = instance_address;
  version->pfnGetDeviceProcAddr = device_address;
  version->pfnGetPhysicalDeviceProcAddr = NULL;
  return VK_SUCCESS;
}
