// grouppeer groups vectors as dlib's face_clustering_ex does: an edge between every two
// that are nearer than a threshold, and Chinese whispers over the graph.
//
//   g++ -std=c++14 -O3 -march=x86-64-v3 -DNDEBUG grouppeer.cpp -o grouppeer -ldlib -lblas -lcblas -llapack
//   ./grouppeer vectors.f32 DIMENSIONS THRESHOLD labels.txt
//
// vectors.f32 holds little-endian float32; the result has a group's number for each
// vector, a line each. Seconds go to standard output.
#include <dlib/clustering.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const long dims = std::atol(argv[2]);
  const float threshold = std::atof(argv[3]);
  std::ifstream in(argv[1], std::ios::binary);
  std::vector<dlib::matrix<float, 0, 1>> faces;
  for (dlib::matrix<float, 0, 1> v(dims); in.read(reinterpret_cast<char*>(&v(0)), dims * sizeof(float));) faces.push_back(v);
  const auto start = std::chrono::steady_clock::now();
  std::vector<dlib::sample_pair> edges;
  for (unsigned long i = 0; i < faces.size(); ++i)
    for (unsigned long j = i; j < faces.size(); ++j)
      if (dlib::length_squared(faces[i] - faces[j]) < threshold * threshold) edges.push_back(dlib::sample_pair(i, j));
  std::vector<unsigned long> labels;
  dlib::chinese_whispers(edges, labels);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::ofstream out(argv[4]);
  for (auto l : labels) out << l << "\n";
  std::printf("%.3f\n", seconds);
  return out.good() ? 0 : 1;
}
